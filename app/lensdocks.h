// The three lenses in their docks, and the wires between them and the conversation.
#pragma once

#include <QList>
#include <QObject>

class QDockWidget;
class QMainWindow;

namespace lens {

class AttentionDock;
class AttentionMeter;
class ChatController;
class DecayDock;
class Differences;
class KlStrip;
class ModelLibrary;
class Selection;
class HeadMap;

class LensDocks : public QObject {
    Q_OBJECT

public:
    /// All must outlive the docks; `window` takes ownership of the widgets.
    LensDocks(ChatController &chat, ModelLibrary &library, Differences &differences, AttentionMeter &attention,
              Selection *selection, QMainWindow *window);

    /// Right of the centre, one above the other, at their first sizes.
    void arrange();
    /// The lenses belong to the compare page; elsewhere they step aside and come back as they were.
    void setShown(bool shown);
    const QList<QDockWidget *> &docks() const { return m_docks; }
    /// Belongs to nobody yet.
    KlStrip *strip() const { return m_strip; }
    AttentionDock *attentionDock() const { return m_attentionDock; }

private:
    void relieveSqueezed();
    QDockWidget *wrap(QWidget *content, const QString &objectName);
    void wireColumns();
    void wireStates();
    void wireAttention();
    void wireStrip();
    void updateColumns();
    void updateModel(int column);

    ChatController &m_chat;
    ModelLibrary &m_library;
    Differences &m_differences;
    AttentionMeter &m_attention;
    QMainWindow *m_window;
    HeadMap *m_states;
    DecayDock *m_decay;
    AttentionDock *m_attentionDock;
    KlStrip *m_strip;
    QList<QDockWidget *> m_docks;
    QStringList m_names;
    QList<QDockWidget *> m_aside; ///< hidden because another page is on show
};

} // namespace lens
