// Runs supralens-cli and collects what it did.
#pragma once

#include <QJsonArray>
#include <QJsonDocument>
#include <QJsonObject>
#include <QProcess>
#include <QtTest>

namespace lens::test {

struct CliResult {
    int status = -1; ///< -1: it did not end properly
    QByteArray out;
    QByteArray err;

    QJsonObject json() const { return QJsonDocument::fromJson(out).object(); }

    /// For QVERIFY2.
    QByteArray text() const
    {
        return "status " + QByteArray::number(status) + "\n" + out.left(2000) + "\n" + err.left(2000);
    }

    /// The contract for errors: nothing but one line.
    bool isOneLine() const { return err.endsWith('\n') && err.count('\n') == 1 && err.size() > 20; }
};

inline CliResult runCli(const QStringList &arguments, int seconds = 120)
{
    QProcess process;
    process.start(QStringLiteral(SUPRALENS_CLI), arguments);
    process.closeWriteChannel();
    CliResult result;
    if (!process.waitForFinished(seconds * 1000)) {
        process.kill();
        process.waitForFinished();
        result.err = "did not end in time";
        return result;
    }
    result.status = process.exitStatus() == QProcess::NormalExit ? process.exitCode() : -1;
    result.out = process.readAllStandardOutput();
    result.err = process.readAllStandardError();
    return result;
}

inline QString modelPath(const QString &name)
{
    const QString folder = QStringLiteral(SUPRALENS_TEST_DATA "/models/") + name;
    return name.startsWith(QStringLiteral("gguf_")) ? folder + QStringLiteral("/model.gguf") : folder;
}

inline QJsonObject readJsonFile(const QString &path)
{
    QFile file(path);
    if (!file.open(QIODevice::ReadOnly))
        return {};
    return QJsonDocument::fromJson(file.readAll()).object();
}

} // namespace lens::test
