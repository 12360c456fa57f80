// The models workspace: the list at the left, one model's details at the right, or where to get one.
#pragma once

#include "bridge/modellibrary.h"

#include <QWidget>

class QListView;
class QStackedWidget;

namespace lens {

class ModelDetails;
class ModelListModel;
class WelcomePage;

class ModelsPage : public QWidget {
    Q_OBJECT

public:
    /// Both must outlive the page.
    ModelsPage(ModelLibrary &library, ModelListModel &list, QWidget *parent = nullptr);

    void select(quint64 entry);
    void showWelcome();
    WelcomePage &welcome() { return *m_welcome; }

Q_SIGNALS:
    void openRequested();
    void openFolderRequested();
    void openInColumn(quint64 entry);
    void compareRequested(quint64 source);
    void convertRequested(quint64 source);

private:
    QWidget *makeList();
    void updateEmpty();

    ModelLibrary &m_library;
    ModelListModel &m_model;
    QListView *m_list;
    ModelDetails *m_details;
    WelcomePage *m_welcome;
    QStackedWidget *m_stack;
};

} // namespace lens
