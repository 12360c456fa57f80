// Above all pages: why what is asked is not kept, or not all of it, and a button that tries to open the workspace again.
#pragma once

#include "widgets/errorbanner.h"

#include <QTime>

#include <optional>

namespace lens {

class ChatController;
class StoreThread;

class WorkspaceBar : public ErrorBanner {
    Q_OBJECT

public:
    /// Both must outlive the bar.
    WorkspaceBar(StoreThread &store, ChatController &chat, QWidget *parent = nullptr);

private:
    void refresh();

    StoreThread &m_store;
    ChatController &m_chat;
    QPushButton *m_again;
    std::optional<Error> m_error;
    QTime m_tried; ///< when the button was last used; not valid: not yet
};

} // namespace lens
