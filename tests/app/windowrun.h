// One run of the application with an engine and a trainer without weights.
#pragma once

#include "appsettings.h"
#include "compare/compareworkspace.h"
#include "compare/promptbox.h"
#include "mainwindow.h"
#include "themeswitch.h"
#include "ui/support/fakeengine.h"
#include "ui/support/faketraining.h"

#include <QDragEnterEvent>
#include <QMimeData>
#include <QPlainTextEdit>
#include <QTemporaryDir>
#include <QTest>

namespace lens::test {

inline const QStringList pair{QStringLiteral("/models/demo.gguf"), QStringLiteral("/models/demo.gguf@supra")};

/// Neither models nor settings of an earlier test are found.
inline void forgetEverything(const QTemporaryDir &folder)
{
    const QByteArray nowhere = folder.filePath(QStringLiteral("no-models")).toUtf8();
    for (const char *place : {"SUPRALENS_MODELS", "XDG_DATA_HOME", "XDG_DATA_DIRS"})
        qputenv(place, nowhere);
    QFile::remove(folder.filePath(QStringLiteral("settings.ini")));
    QVERIFY(folder.isValid());
}

struct Run {
    explicit Run(const QTemporaryDir &folder, const QStringList &models = pair)
        : settings(folder.filePath(QStringLiteral("settings.ini"))), theme(settings),
          window(engine, training, settings, folder.filePath(QStringLiteral("workspace.supralens")))
    {
        training.leavesFiles = true;
        window.resize(1280, 800);
        window.show();
        window.openModels(models);
    }

    bool isReady() const { return window_().column(0).model() && window_().column(1).model(); }
    const ChatController &window_() const { return const_cast<MainWindow &>(window).chat(); }
    QPlainTextEdit *prompt() { return window.compare().prompt().findChild<QPlainTextEdit *>(); }

    void ask(const QString &text)
    {
        prompt()->setFocus();
        QTest::keyClicks(prompt(), text);
        QTest::keyClick(prompt(), Qt::Key_Return);
    }

    /// On `target`, else where no column is.
    void drop(const QStringList &paths, const QWidget *target = nullptr)
    {
        QMimeData data;
        QList<QUrl> urls;
        for (const QString &path : paths)
            urls.append(QUrl::fromLocalFile(path));
        data.setUrls(urls);
        const QPoint at = target ? target->mapTo(&window, target->rect().center()) : QPoint(2, 2);
        QDragEnterEvent enter(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(&window, &enter);
        QVERIFY(enter.isAccepted());
        QDropEvent event(at, Qt::CopyAction, &data, Qt::LeftButton, {});
        QApplication::sendEvent(&window, &event);
    }

    FakeEngine engine;
    FakeTraining training;
    AppSettings settings;
    ThemeSwitch theme;
    MainWindow window;
};

} // namespace lens::test
