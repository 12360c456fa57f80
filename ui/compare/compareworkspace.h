// The compare workspace: columns side by side, the strip of differences, and the shared prompt.
#pragma once

#include "compare/chatview.h"

#include <QWidget>

class QComboBox;
class QSplitter;

namespace lens {

class ChatController;
class CompareColumn;
class ErrorBanner;
class ModelLibrary;
class PromptBox;
class Selection;

class CompareWorkspace : public QWidget {
    Q_OBJECT

public:
    /// All must outlive the workspace.
    CompareWorkspace(ChatController &controller, ModelLibrary &library, Selection *selection,
                     QWidget *parent = nullptr);

    /// Goes between columns and prompt; the workspace takes ownership.
    void setStrip(QWidget *strip);
    Shading shading() const { return m_shading; }
    void setShading(Shading shading);
    void focusPrompt();
    /// A message about the whole workspace.
    ErrorBanner &banner() { return *m_banner; }
    PromptBox &prompt() { return *m_prompt; }
    CompareColumn *columnWidget(int index) const;

Q_SIGNALS:
    void openRequested(int column);
    void convertRequested(int column, quint64 source);
    void detailsRequested(quint64 entry);
    void shadingChanged(lens::Shading shading);

private:
    QWidget *makeBar();
    void rebuildColumns();
    void updatePrompt();
    void updateNames();
    void send(const QString &prompt, int onlyColumn);
    void beginEditing(int column, std::size_t exchange);
    void endEditing();

    ChatController &m_controller;
    ModelLibrary &m_library;
    Selection *m_selection;
    ErrorBanner *m_banner;
    QSplitter *m_splitter;
    QWidget *m_stripPlace;
    QComboBox *m_shadingBox;
    PromptBox *m_prompt;
    Shading m_shading = Shading::Probability;
    struct Editing {
        int column = -1;
        std::size_t exchange = 0;
        QString draft;
    };
    Editing m_editing;
};

} // namespace lens
