// Fetches a model by the script that ./run --get uses, as a child process, after the user has agreed.
#pragma once

#include "base/error.h"

#include <QObject>
#include <QProcess>

namespace lens {

class ModelDownload : public QObject {
    Q_OBJECT

public:
    explicit ModelDownload(QObject *parent = nullptr);
    ~ModelDownload() override;

    /// The script: $SUPRALENS_GET_MODEL, or beside the program, or in the source tree; empty when there is none.
    static QString script();

    bool isRunning() const { return m_process.state() != QProcess::NotRunning; }
    void start(const QString &name);
    void cancel();

Q_SIGNALS:
    /// Bytes; `total` is 0 when unknown.
    void progressed(quint64 done, quint64 total, const QString &stage);
    void finished(const QString &folder);
    void cancelled();
    void failed(const lens::Error &error);

private:
    void read();

    QProcess m_process;
    QByteArray m_pending; ///< of standard output: an unfinished line
    QString m_tail;       ///< of standard error
    QString m_folder;
    bool m_cancelled = false;
};

} // namespace lens
