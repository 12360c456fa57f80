// Left of the columns: recent sessions, models, and how answers are generated.
#pragma once

#include <QScrollArea>

class QAbstractItemModel;
class QListView;

namespace lens {

class GenerationPanel;

class SidePanel : public QScrollArea {
    Q_OBJECT

public:
    /// The item models must outlive the panel.
    SidePanel(QAbstractItemModel *sessions, QAbstractItemModel *models, QWidget *parent = nullptr);

    GenerationPanel &generation() { return *m_generation; }
    void setCurrentSession(qint64 session);

Q_SIGNALS:
    void newSessionRequested();
    void sessionChosen(qint64 session);
    void openModelRequested();
    void modelChosen(quint64 entry);

private:
    QListView *makeList(QAbstractItemModel *model, const QString &name, int most);

    QListView *m_sessions;
    QListView *m_models;
    GenerationPanel *m_generation;
};

} // namespace lens
