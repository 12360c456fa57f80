// supralens: the window.
#include "appsettings.h"
#include "base/folders.h"
#include "base/freedmemory.h"
#include "base/threadwaiting.h"
#include "bridge/engineapi.h"
#include "bridge/trainingapi.h"
#include "mainwindow.h"
#include "tensor/device.h"
#include "themeswitch.h"

#include <QApplication>
#include <QCommandLineParser>
#include <QDir>
#include <QIcon>
#include <QLoggingCategory>
#include <QStandardPaths>
#include <QTimer>

namespace {

Q_LOGGING_CATEGORY(logApp, "supralens.app")

QString defaultWorkspace()
{
    return QStandardPaths::writableLocation(QStandardPaths::GenericDataLocation) +
           QStringLiteral("/supralens/workspace.supralens");
}

/// The first workspace file among `files`, taken out: what a file manager hands on when one is opened.
QString takeWorkspace(QStringList &files)
{
    for (const QString &file : files) {
        if (file.endsWith(QLatin1String(".supralens"), Qt::CaseInsensitive)) {
            const QString taken = file;
            files.removeAll(taken);
            return taken;
        }
    }
    return {};
}

/// A package that brings its own Qt keeps the plugins of that Qt in its private folder; the system's are of another.
void usePackagedQtPlugins()
{
    const QString folder = QString::fromStdString((lens::privateLibraryFolder() / "qt").string());
    if (QDir(folder).exists())
        QCoreApplication::setLibraryPaths({folder});
}

} // namespace

int main(int argc, char **argv)
{
    lens::restartWithShortSpin(argv);
    lens::keepFreedMemory();
    usePackagedQtPlugins();
    QApplication application(argc, argv);
    QApplication::setOrganizationName(QStringLiteral("supralens"));
    QApplication::setApplicationName(QStringLiteral("supralens"));
    QApplication::setDesktopFileName(QStringLiteral("org.supralens.SupraLens"));
    QApplication::setApplicationDisplayName(QStringLiteral("SUPRA Lens"));
    QApplication::setApplicationVersion(QStringLiteral(SUPRALENS_VERSION));
    QApplication::setWindowIcon(QIcon(QStringLiteral(":/icons/supralens.svg")));

    QCommandLineParser parser;
    parser.setApplicationDescription(
        QApplication::translate("main", "Compares softmax Transformers with their recurrent conversions."));
    parser.addHelpOption();
    parser.addVersionOption();
    parser.addPositionalArgument(
        QStringLiteral("models"),
        QApplication::translate("main", "Model files, folders or specifications (FILE@supra), one per column; a "
                                        "workspace (.supralens) is opened instead of the usual one."),
        QStringLiteral("[models...]"));
    const QCommandLineOption workspace(QStringLiteral("workspace"),
                                       QApplication::translate("main", "The file that keeps sessions."),
                                       QStringLiteral("file"), defaultWorkspace());
    const QCommandLineOption settingsFile(QStringLiteral("settings"),
                                          QApplication::translate("main", "The file that keeps settings."),
                                          QStringLiteral("file"));
    const QCommandLineOption screenshot(
        QStringLiteral("screenshot"),
        QApplication::translate("main", "Write a picture of the window after three seconds, and quit."),
        QStringLiteral("file"));
    parser.addOptions({workspace, settingsFile, screenshot});
    parser.process(application);

    qCInfo(logApp).noquote() << QString::fromStdString(lens::openAccelerators());
    const auto engine = lens::makeEngine();
    const auto trainer = lens::makeTrainingEngine();
    lens::AppSettings settings(parser.value(settingsFile));
    const lens::ThemeSwitch theme(settings);
    QStringList models = parser.positionalArguments();
    const QString handedOn = takeWorkspace(models);
    lens::MainWindow window(*engine, *trainer, settings, handedOn.isEmpty() ? parser.value(workspace) : handedOn);
    window.show();
    // The window is on the screen before any model is touched.
    QTimer::singleShot(0, &window, [&window, models] { window.openModels(models); });
    if (parser.isSet(screenshot)) {
        QTimer::singleShot(3000, &window, [&window, file = parser.value(screenshot)] {
            window.grab().save(file);
            window.close();
        });
    }
    return QApplication::exec();
}
