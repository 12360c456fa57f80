#include "workspacebar.h"

#include "bridge/chatcontroller.h"
#include "bridge/storethread.h"

#include <QLocale>
#include <QPushButton>

namespace lens {

WorkspaceBar::WorkspaceBar(StoreThread &store, ChatController &chat, QWidget *parent)
    : ErrorBanner(parent), m_store(store), m_chat(chat), m_again(new QPushButton(tr("Try again")))
{
    m_again->setToolTip(tr("Open the workspace once more"));
    addButton(m_again);
    connect(m_again, &QPushButton::clicked, this, [this] {
        m_tried = QTime::currentTime();
        m_store.openAgain();
    });
    connect(&store, &StoreThread::opened, this, [this] {
        m_error.reset();
        refresh();
    });
    connect(&store, &StoreThread::failed, this, [this](const Error &error) {
        m_error = error;
        refresh();
    });
    connect(&chat, &ChatController::keptChanged, this, &WorkspaceBar::refresh);
}

void WorkspaceBar::refresh()
{
    const Access access = m_store.access();
    m_again->setVisible(access != Access::Writing);
    if (m_error) {
        showError(*m_error);
    } else if (access == Access::Reading) {
        // The time shows that the button has done something.
        const QString why = m_tried.isValid() ? tr("At %1 this workspace was still open in another window or program.")
                                                    .arg(QLocale().toString(m_tried, QStringLiteral("HH:mm:ss")))
                                              : tr("This workspace is open in another window or program.");
        showWarning(tr("%1 It is shown read-only: what you ask here is not kept.").arg(why), false);
    } else if (access == Access::Writing && !m_chat.isKept()) {
        showWarning(tr("What you ask is kept again, but for this conversation, which began before. "
                       "A new session is kept from its beginning."),
                    true);
    } else {
        hide();
    }
}

} // namespace lens
