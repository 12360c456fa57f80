#include "bridge/modellistmodel.h"

#include "bridge/format.h"

namespace lens {

QString modelDetail(const ModelEntry &entry)
{
    using State = ModelEntry::State;
    if (entry.state == State::Inspecting)
        return ModelListModel::tr("reading the header…");
    if (entry.state == State::Loading) {
        if (entry.progress.total > 0)
            return ModelListModel::tr("loading, %1")
                .arg(formatPercent(double(entry.progress.done) / double(entry.progress.total)));
        return ModelListModel::tr("loading…");
    }
    if (entry.state == State::BaseMissing)
        return ModelListModel::tr("adapter; its model is not here");
    if (entry.state == State::Failed && entry.error)
        return title(entry.error->code);
    if (!entry.info)
        return {};
    QStringList parts{mixerName(entry.info->mixer)};
    if (entry.info->parameters > 0)
        parts.append(formatCount(entry.info->parameters));
    if (!entry.info->dtype.empty())
        parts.append(text(entry.info->dtype));
    else if (entry.info->fileBytes > 0)
        parts.append(formatBytes(entry.info->fileBytes));
    return parts.join(QStringLiteral(" · "));
}

ModelListModel::ModelListModel(ModelLibrary &library, QObject *parent) : QAbstractListModel(parent), m_library(library)
{
    connect(&library, &ModelLibrary::aboutToAdd, this, [this](int row) { beginInsertRows({}, row, row); });
    connect(&library, &ModelLibrary::added, this, [this] { endInsertRows(); });
    connect(&library, &ModelLibrary::aboutToRemove, this, [this](quint64, int row) { beginRemoveRows({}, row, row); });
    connect(&library, &ModelLibrary::removed, this, [this] { endRemoveRows(); });
    connect(&library, &ModelLibrary::changed, this, [this](quint64 id) {
        const QModelIndex index = indexOf(id);
        if (index.isValid())
            Q_EMIT dataChanged(index, index);
    });
}

int ModelListModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_library.entries().size());
}

QVariant ModelListModel::data(const QModelIndex &index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const ModelEntry &entry = m_library.entries()[std::size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole: return entry.name;
    case Qt::ToolTipRole: return entry.specification;
    case Qt::AccessibleDescriptionRole: return modelDetail(entry);
    case IdRole: return entry.id;
    case StateRole: return int(entry.state);
    case DetailRole: return modelDetail(entry);
    case MixerRole: return entry.info ? text(entry.info->mixer) : QString();
    case BundledRole: return entry.bundled;
    case ProgressRole:
        return entry.progress.total > 0 ? double(entry.progress.done) / double(entry.progress.total) : -1.0;
    default: return {};
    }
}

QModelIndex ModelListModel::indexOf(quint64 id) const
{
    for (std::size_t i = 0; i < m_library.entries().size(); ++i) {
        if (m_library.entries()[i].id == id)
            return index(int(i));
    }
    return {};
}

} // namespace lens
