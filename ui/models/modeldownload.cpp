#include "models/modeldownload.h"

#include <QCoreApplication>
#include <QDir>
#include <QFileInfo>

namespace lens {

ModelDownload::ModelDownload(QObject *parent) : QObject(parent)
{
    connect(&m_process, &QProcess::readyReadStandardOutput, this, &ModelDownload::read);
    connect(&m_process, &QProcess::readyReadStandardError, this, &ModelDownload::read);
    connect(&m_process, &QProcess::errorOccurred, this, [this](QProcess::ProcessError error) {
        if (error == QProcess::FailedToStart)
            Q_EMIT failed({ErrorCode::Io, "the download could not be started", m_process.program().toStdString(),
                           "run ./run --get smollm2 in a terminal to see why"});
    });
    connect(&m_process, &QProcess::finished, this, [this](int code, QProcess::ExitStatus status) {
        read();
        if (m_cancelled)
            Q_EMIT cancelled();
        else if (status == QProcess::NormalExit && code == 0)
            Q_EMIT finished(m_folder);
        else
            Q_EMIT failed({ErrorCode::Io, "the download failed: " + m_tail.trimmed().right(400).toStdString(),
                           m_process.program().toStdString(), "check the network connection and try again"});
    });
}

ModelDownload::~ModelDownload()
{
    m_process.disconnect(this);
    cancel();
    m_process.waitForFinished(2000);
}

QString ModelDownload::script()
{
    const QDir program(QCoreApplication::applicationDirPath());
    const QStringList places{qEnvironmentVariable("SUPRALENS_GET_MODEL"), program.filePath(QStringLiteral("get-model")),
                             program.filePath(QStringLiteral("../libexec/supralens/get-model")),
                             program.filePath(QStringLiteral("../share/supralens/get-model")),
                             program.filePath(QStringLiteral("../../../packaging/get-model"))};
    for (const QString &place : places) {
        if (!place.isEmpty() && QFileInfo(place).isFile())
            return QDir::cleanPath(place);
    }
    return {};
}

void ModelDownload::start(const QString &name)
{
    if (isRunning())
        return;
    m_cancelled = false;
    m_tail.clear();
    m_pending.clear();
    m_folder.clear();
    const QString path = script();
    if (path.isEmpty()) {
        Q_EMIT failed({ErrorCode::NotFound, "the script that fetches models is not installed", "get-model",
                       "run ./run --get smollm2 in the source folder, or set SUPRALENS_GET_MODEL"});
        return;
    }
    m_process.start(path, {name});
}

void ModelDownload::cancel()
{
    if (!isRunning())
        return;
    m_cancelled = true;
    m_process.terminate();
}

void ModelDownload::read()
{
    m_pending += m_process.readAllStandardOutput();
    m_tail = (m_tail + QString::fromUtf8(m_process.readAllStandardError())).right(2000);
    for (qsizetype end = m_pending.indexOf('\n'); end >= 0; end = m_pending.indexOf('\n')) {
        const QString line = QString::fromUtf8(m_pending.left(end)).trimmed();
        m_pending.remove(0, end + 1);
        const QStringList words = line.split(QLatin1Char(' '));
        if (words.size() >= 3 && words[0] == QLatin1String("progress"))
            Q_EMIT progressed(words[1].toULongLong(), words[2].toULongLong(), words.mid(3).join(QLatin1Char(' ')));
        else if (words.size() >= 2 && words[0] == QLatin1String("installed"))
            m_folder = line.mid(qsizetype(sizeof "installed"));
    }
}

} // namespace lens
