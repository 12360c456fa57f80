// The sessions of the workspace as a Qt item model; with a search text, the sessions in which it occurs.
#pragma once

#include "bridge/storethread.h"

#include <QAbstractListModel>
#include <QTimer>

#include <vector>

namespace lens {

class SessionListModel : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role { IdRole = Qt::UserRole + 1, DetailRole, SnippetRole };

    /// `store` must outlive the model.
    explicit SessionListModel(StoreThread &store, QObject *parent = nullptr);

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    bool setData(const QModelIndex &index, const QVariant &value, int role) override;
    Qt::ItemFlags flags(const QModelIndex &index) const override;

    void setSearch(const QString &search);
    const QString &search() const { return m_search; }
    /// Reads the list again, soon.
    void refresh();
    QModelIndex indexOf(RowId session) const;

    void remove(RowId session);
    void undoRemove();
    bool canUndo() const { return !m_removed.empty(); }

Q_SIGNALS:
    void refreshed();
    void sessionRemoved(qint64 session, const QString &title);
    void failed(const lens::Error &error);

private:
    struct Row {
        RowId session = 0;
        QString title;
        QString detail;
        QString snippet;

        bool operator==(const Row &) const = default;
    };

    static Result<std::vector<Row>> fetch(Workspace &workspace, const std::string &search);
    void load();
    void setRows(std::vector<Row> rows);

    StoreThread &m_store;
    QTimer m_timer;
    QString m_search;
    quint64 m_request = 0;
    std::vector<Row> m_rows;
    std::vector<RowId> m_removed; ///< latest last
};

} // namespace lens
