// What is chosen: token, layer, head and column. Every view reads it and writes it, so that a choice made anywhere
// is made everywhere. Lives on the GUI thread; views keep a plain pointer and must not outlive it.
#pragma once

#include <QObject>

#include <cstdint>

namespace lens {

class Selection : public QObject {
    Q_OBJECT

public:
    static constexpr std::int64_t None = -1;

    explicit Selection(QObject *parent = nullptr);

    /// Position in the whole sequence, prompt included; None when nothing is chosen.
    std::int64_t token() const { return m_token; }
    std::int64_t layer() const { return m_layer; }
    std::int64_t head() const { return m_head; }
    /// The column in which the choice was made last, counted from 0.
    int column() const { return m_column; }

    void setToken(std::int64_t token);
    void setLayer(std::int64_t layer);
    void setHead(std::int64_t head);
    /// Both at once: one layerHeadChanged().
    void setLayerHead(std::int64_t layer, std::int64_t head);
    void setColumn(int column);

    /// Forgets the token (a new conversation); layer and head stay, since they mean the same in every text.
    void clearToken() { setToken(None); }

Q_SIGNALS:
    void tokenChanged(qint64 token);
    void layerHeadChanged(qint64 layer, qint64 head);
    void columnChanged(int column);
    /// After any of the above; for views that show all of it, such as the status bar.
    void changed();

private:
    std::int64_t m_token = None;
    std::int64_t m_layer = 0;
    std::int64_t m_head = 0;
    int m_column = 0;
};

} // namespace lens
