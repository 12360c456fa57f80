// Where models come from: get one, or open one.
#pragma once

#include "models/modeldownload.h"

#include <QWidget>

class QLabel;
class QProgressBar;
class QPushButton;

namespace lens {

class ErrorBanner;

class WelcomePage : public QWidget {
    Q_OBJECT

public:
    explicit WelcomePage(QWidget *parent = nullptr);

public Q_SLOTS:
    /// Asks, then fetches SmolLM2-135M-Instruct.
    void getModel();

Q_SIGNALS:
    void openRequested();
    void modelFetched(const QString &folder);

private:
    void setRunning(bool running);

    ModelDownload m_download;
    QPushButton *m_get;
    QPushButton *m_open;
    QPushButton *m_cancel;
    QProgressBar *m_progress;
    QLabel *m_line;
    ErrorBanner *m_error;
};

} // namespace lens
