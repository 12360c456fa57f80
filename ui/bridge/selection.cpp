#include "bridge/selection.h"

namespace lens {

Selection::Selection(QObject *parent) : QObject(parent) {}

void Selection::setToken(std::int64_t token)
{
    if (token == m_token)
        return;
    m_token = token;
    Q_EMIT tokenChanged(token);
    Q_EMIT changed();
}

void Selection::setLayer(std::int64_t layer)
{
    setLayerHead(layer, m_head);
}

void Selection::setHead(std::int64_t head)
{
    setLayerHead(m_layer, head);
}

void Selection::setLayerHead(std::int64_t layer, std::int64_t head)
{
    if (layer == m_layer && head == m_head)
        return;
    m_layer = layer;
    m_head = head;
    Q_EMIT layerHeadChanged(layer, head);
    Q_EMIT changed();
}

void Selection::setColumn(int column)
{
    if (column == m_column)
        return;
    m_column = column;
    Q_EMIT columnChanged(column);
    Q_EMIT changed();
}

} // namespace lens
