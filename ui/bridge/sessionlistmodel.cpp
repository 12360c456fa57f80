#include "bridge/sessionlistmodel.h"

#include "bridge/format.h"

#include <QDateTime>
#include <QLocale>

#include <algorithm>

namespace lens {
namespace {

constexpr std::int64_t mostSessions = 500;

QString when(Milliseconds time)
{
    const QDateTime moment = QDateTime::fromMSecsSinceEpoch(time);
    const QDate today = QDate::currentDate();
    if (moment.date() == today)
        return SessionListModel::tr("today %1").arg(QLocale().toString(moment.time(), QLocale::ShortFormat));
    if (moment.date() == today.addDays(-1))
        return SessionListModel::tr("yesterday %1").arg(QLocale().toString(moment.time(), QLocale::ShortFormat));
    return QLocale().toString(moment.date(), QLocale::ShortFormat);
}

QString plain(const std::vector<SnippetPiece> &pieces)
{
    QString text;
    for (const SnippetPiece &piece : pieces)
        text += QString::fromStdString(piece.text);
    return text.simplified();
}

} // namespace

SessionListModel::SessionListModel(StoreThread &store, QObject *parent) : QAbstractListModel(parent), m_store(store)
{
    m_timer.setSingleShot(true);
    m_timer.setInterval(80);
    connect(&m_timer, &QTimer::timeout, this, &SessionListModel::load);
    connect(&store, &StoreThread::opened, this, &SessionListModel::refresh);
}

int SessionListModel::rowCount(const QModelIndex &parent) const
{
    return parent.isValid() ? 0 : int(m_rows.size());
}

QVariant SessionListModel::data(const QModelIndex &index, int role) const
{
    if (!checkIndex(index, CheckIndexOption::IndexIsValid))
        return {};
    const Row &row = m_rows[std::size_t(index.row())];
    switch (role) {
    case Qt::DisplayRole:
    case Qt::EditRole:
    case Qt::ToolTipRole: return row.title;
    case Qt::AccessibleDescriptionRole:
    case DetailRole: return row.detail;
    case IdRole: return qint64(row.session);
    case SnippetRole: return row.snippet;
    default: return {};
    }
}

bool SessionListModel::setData(const QModelIndex &index, const QVariant &value, int role)
{
    const QString title = value.toString().simplified();
    if (role != Qt::EditRole || !checkIndex(index, CheckIndexOption::IndexIsValid) || title.isEmpty())
        return false;
    Row &row = m_rows[std::size_t(index.row())];
    row.title = title;
    m_store.run<void>([session = row.session, title = title.toStdString()](
                          Workspace &workspace) { return workspace.sessions().rename(session, title); },
                      [this](const Result<void> &result) {
                          if (!result)
                              Q_EMIT failed(result.error());
                          refresh();
                      });
    Q_EMIT dataChanged(index, index);
    return true;
}

Qt::ItemFlags SessionListModel::flags(const QModelIndex &index) const
{
    const bool editable = index.isValid() && m_store.access() == Access::Writing;
    return QAbstractListModel::flags(index) | (editable ? Qt::ItemIsEditable : Qt::NoItemFlags);
}

void SessionListModel::setSearch(const QString &search)
{
    m_search = search;
    refresh();
}

void SessionListModel::refresh()
{
    m_timer.start();
}

Result<std::vector<SessionListModel::Row>> SessionListModel::fetch(Workspace &workspace, const std::string &search)
{
    std::vector<Row> rows;
    SessionQuery query;
    query.limit = mostSessions;
    const auto sessions = workspace.sessions().list(query);
    if (!sessions)
        return propagate(sessions);
    for (const SessionSummary &summary : *sessions) {
        QStringList models;
        for (const std::string &model : summary.models) {
            if (!model.empty())
                models.append(text(model));
        }
        models.removeDuplicates();
        const QString detail =
            QStringLiteral("%1 · %2").arg(when(summary.session.modified), models.join(QStringLiteral(", ")));
        rows.push_back({summary.session.id, text(summary.session.title), detail, {}});
    }
    if (search.find_first_not_of(' ') == std::string::npos)
        return rows;
    const auto hits = workspace.search().find(search, mostSessions);
    if (!hits)
        return propagate(hits);
    std::vector<Row> found;
    for (const SearchHit &hit : *hits) {
        const auto same = [&hit](const Row &row) { return row.session == hit.session; };
        const auto row = std::find_if(rows.begin(), rows.end(), same);
        if (row == rows.end() || std::any_of(found.begin(), found.end(), same))
            continue;
        row->snippet = plain(hit.snippet);
        found.push_back(*row);
    }
    return found;
}

void SessionListModel::load()
{
    m_store.run<std::vector<Row>>(
        [search = m_search.toStdString()](Workspace &workspace) { return fetch(workspace, search); },
        [this, request = ++m_request](Result<std::vector<Row>> rows) {
            if (request != m_request)
                return;
            if (rows)
                setRows(std::move(*rows));
            Q_EMIT refreshed();
        });
}

void SessionListModel::setRows(std::vector<Row> rows)
{
    const auto sameSession = [](const Row &a, const Row &b) { return a.session == b.session; };
    if (std::equal(rows.begin(), rows.end(), m_rows.begin(), m_rows.end(), sameSession)) {
        if (rows == m_rows)
            return;
        m_rows = std::move(rows);
        Q_EMIT dataChanged(index(0), index(int(m_rows.size()) - 1));
        return;
    }
    beginResetModel();
    m_rows = std::move(rows);
    endResetModel();
}

QModelIndex SessionListModel::indexOf(RowId session) const
{
    for (std::size_t i = 0; i < m_rows.size(); ++i) {
        if (m_rows[i].session == session)
            return index(int(i));
    }
    return {};
}

void SessionListModel::remove(RowId session)
{
    const QString title = indexOf(session).data().toString();
    m_store.run<void>([session](Workspace &workspace) { return workspace.sessions().moveToBin(session); },
                      [this, session, title](const Result<void> &result) {
                          if (!result) {
                              Q_EMIT failed(result.error());
                              return;
                          }
                          m_removed.push_back(session);
                          refresh();
                          Q_EMIT sessionRemoved(session, title);
                      });
}

void SessionListModel::undoRemove()
{
    if (m_removed.empty())
        return;
    const RowId session = m_removed.back();
    m_removed.pop_back();
    m_store.run<void>([session](Workspace &workspace) { return workspace.sessions().restore(session); },
                      [this](const Result<void> &result) {
                          if (!result)
                              Q_EMIT failed(result.error());
                          refresh();
                      });
}

} // namespace lens
