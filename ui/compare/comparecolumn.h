// One column: model, warnings, conversation, cost.
#pragma once

#include "compare/chatview.h"

#include <QFrame>

namespace lens {

class ChatController;
class ColumnFooter;
class ErrorBanner;
class FactLine;
class IconButton;
class ModelChooser;
class ModelLibrary;
class Selection;

class CompareColumn : public QFrame {
    Q_OBJECT

public:
    /// All must outlive the widget; it goes when the controller's column goes.
    CompareColumn(ChatController &controller, ModelLibrary &library, Selection *selection, int index,
                  QWidget *parent = nullptr);

    ChatView &view() { return *m_view; }

Q_SIGNALS:
    void openRequested(int index);
    void convertRequested(int index, quint64 source);
    void editRequested(int index, std::size_t exchange);
    void detailsRequested(quint64 entry);

protected:
    void resizeEvent(QResizeEvent *event) override;

private:
    bool isLoading() const;
    QWidget *makeHeader();
    void fillMenu();
    void updateModel();
    void updateActivity();
    void updateError();

    ChatController &m_controller;
    ModelLibrary &m_library;
    int m_index;
    std::shared_ptr<Column> m_column; ///< outlives the controller's, for views that are yet to go
    ModelChooser *m_chooser;
    FactLine *m_facts;
    IconButton *m_stop;
    IconButton *m_regenerate;
    IconButton *m_menu;
    IconButton *m_only;
    ErrorBanner *m_warning;
    ErrorBanner *m_error;
    ChatView *m_view;
    ColumnFooter *m_footer;
};

} // namespace lens
