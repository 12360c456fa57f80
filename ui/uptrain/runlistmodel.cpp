#include "uptrain/runlistmodel.h"

#include "bridge/format.h"
#include "plot/ticks.h"

#include <QLocale>
#include <QPointer>

namespace lens {

QString statusName(TrainingStatus status)
{
    switch (status) {
    case TrainingStatus::Running: return RunListModel::tr("running");
    case TrainingStatus::Finished: return RunListModel::tr("finished");
    case TrainingStatus::Stopped: return RunListModel::tr("stopped");
    case TrainingStatus::Failed: return RunListModel::tr("failed");
    case TrainingStatus::Interrupted: return RunListModel::tr("interrupted");
    }
    return {};
}

RunListModel::RunListModel(StoreThread &store, TrainingController &controller, QObject *parent)
    : QAbstractListModel(parent), m_store(store), m_controller(controller)
{
    connect(&store, &StoreThread::opened, this, &RunListModel::refresh);
    connect(&controller, &TrainingController::runsChanged, this, &RunListModel::refresh);
}

void RunListModel::refresh()
{
    m_store.run<std::vector<TrainingRunRow>>([](Workspace &workspace) { return workspace.training().list(); },
                                             [self = QPointer(this)](Result<std::vector<TrainingRunRow>> runs) {
                                                 if (!self)
                                                     return;
                                                 if (runs)
                                                     self->adopt(std::move(*runs));
                                                 else
                                                     Q_EMIT self->failed(runs.error());
                                             });
}

void RunListModel::adopt(std::vector<TrainingRunRow> runs)
{
    const bool sameRows = runs.size() == m_runs.size() &&
                          std::equal(runs.begin(), runs.end(), m_runs.begin(),
                                     [](const TrainingRunRow &a, const TrainingRunRow &b) { return a.id == b.id; });
    if (sameRows) {
        m_runs = std::move(runs);
        if (!m_runs.empty())
            Q_EMIT dataChanged(index(0), index(int(m_runs.size()) - 1));
    } else {
        beginResetModel();
        m_runs = std::move(runs);
        endResetModel();
    }
    Q_EMIT refreshed();
}

const TrainingRunRow *RunListModel::run(qint64 id) const
{
    for (const TrainingRunRow &run : m_runs) {
        if (run.id == id)
            return &run;
    }
    return nullptr;
}

std::vector<qint64> RunListModel::chosen() const
{
    std::vector<qint64> chosen;
    for (const TrainingRunRow &run : m_runs) {
        if (m_chosen.contains(run.id))
            chosen.push_back(run.id);
    }
    return chosen;
}

QModelIndex RunListModel::indexOf(qint64 id) const
{
    for (std::size_t i = 0; i < m_runs.size(); ++i) {
        if (m_runs[i].id == id)
            return index(int(i));
    }
    return {};
}

void RunListModel::setNotes(qint64 id, const QString &notes)
{
    for (TrainingRunRow &run : m_runs) {
        if (run.id == id)
            run.notes = notes.toStdString();
    }
    m_store.run<void>(
        [id, notes = notes.toStdString()](Workspace &workspace) { return workspace.training().setNotes(id, notes); },
        [self = QPointer(this)](const Result<void> &result) {
            if (self && !result)
                Q_EMIT self->failed(result.error());
        });
}

void RunListModel::remove(qint64 id)
{
    m_store.run<void>([id](Workspace &workspace) { return workspace.training().remove(id); },
                      [self = QPointer(this), id](const Result<void> &result) {
                          if (!self)
                              return;
                          if (!result)
                              Q_EMIT self->failed(result.error());
                          else if (self->m_chosen.remove(id))
                              Q_EMIT self->chosenChanged();
                          self->refresh();
                      });
}

int RunListModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_runs.size());
}

QVariant RunListModel::data(const QModelIndex &index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const TrainingRunRow &run = m_runs[std::size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole: return text(run.name);
    case Qt::ToolTipRole: return text(run.folder);
    case Qt::CheckStateRole: return int(m_chosen.contains(run.id) ? Qt::Checked : Qt::Unchecked);
    case IdRole: return qint64(run.id);
    case StatusRole: return int(run.status);
    case Qt::AccessibleDescriptionRole:
    case DetailRole: {
        QStringList parts{statusName(run.status)};
        if (run.lastStep > 0 && run.status != TrainingStatus::Running)
            parts.append(tr("step %1").arg(QLocale().toString(qlonglong(run.lastStep))));
        if (run.perplexity > 0 && run.status != TrainingStatus::Running)
            parts.append(tr("perplexity %1").arg(formatValue(run.perplexity)));
        return parts.join(QStringLiteral(" · "));
    }
    default: return {};
    }
}

bool RunListModel::setData(const QModelIndex &index, const QVariant &value, int role)
{
    if (role != Qt::CheckStateRole || !checkIndex(index, CheckIndexOption::IndexIsValid))
        return false;
    const qint64 id = m_runs[std::size_t(index.row())].id;
    if (value.toInt() == Qt::Checked)
        m_chosen.insert(id);
    else
        m_chosen.remove(id);
    Q_EMIT dataChanged(index, index, {Qt::CheckStateRole});
    Q_EMIT chosenChanged();
    return true;
}

Qt::ItemFlags RunListModel::flags(const QModelIndex &index) const
{
    return QAbstractListModel::flags(index) | Qt::ItemIsUserCheckable;
}

} // namespace lens
