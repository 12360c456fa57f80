// The sessions workspace: search, open, rename, delete with undo, export.
#pragma once

#include "base/error.h"

#include <QWidget>

class QLabel;
class QLineEdit;
class QListView;
class QStackedLayout;

namespace lens {

class ErrorBanner;
class SessionListModel;
class StoreThread;

class SessionsPage : public QWidget {
    Q_OBJECT

public:
    /// Both must outlive the page.
    SessionsPage(StoreThread &store, SessionListModel &model, QWidget *parent = nullptr);

    void setCurrent(qint64 session);
    void focusSearch();
    void showError(const Error &error);

Q_SIGNALS:
    void newRequested();
    void openRequested(qint64 session);
    /// The one on show was removed.
    void removed(qint64 session);

private:
    QWidget *makeBar();
    QWidget *makeNotice();
    void showNotice(const QString &text, bool undoable);
    void exportCurrent();
    void updateState();
    qint64 currentSession() const;

    StoreThread &m_store;
    SessionListModel &m_model;
    QLineEdit *m_search;
    QListView *m_list;
    QLabel *m_empty;
    ErrorBanner *m_error;
    QWidget *m_notice;
    QLabel *m_noticeText;
    QWidget *m_undo;
    QList<QWidget *> m_needSession;
    QList<QWidget *> m_needWriting; ///< too
};

} // namespace lens
