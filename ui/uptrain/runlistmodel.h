// The workspace's training runs as a Qt item model, newest first. A check mark lays a run's curves over those on show.
#pragma once

#include "bridge/storethread.h"
#include "bridge/trainingcontroller.h"

#include <QAbstractListModel>
#include <QSet>

#include <vector>

namespace lens {

class RunListModel : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role { IdRole = Qt::UserRole + 1, DetailRole, StatusRole };

    /// Both must outlive the model.
    RunListModel(StoreThread &store, TrainingController &controller, QObject *parent = nullptr);

    /// Reads the list anew; refreshed() tells.
    void refresh();

    const TrainingRunRow *run(qint64 id) const;
    const std::vector<TrainingRunRow> &runs() const { return m_runs; }
    /// Checked ones, in the list's order.
    std::vector<qint64> chosen() const;
    QModelIndex indexOf(qint64 id) const;
    void setNotes(qint64 id, const QString &notes);
    void remove(qint64 id);

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    bool setData(const QModelIndex &index, const QVariant &value, int role) override;
    Qt::ItemFlags flags(const QModelIndex &index) const override;

Q_SIGNALS:
    void refreshed();
    void chosenChanged();
    void failed(const lens::Error &error);

private:
    void adopt(std::vector<TrainingRunRow> runs);

    StoreThread &m_store;
    TrainingController &m_controller;
    std::vector<TrainingRunRow> m_runs;
    QSet<qint64> m_chosen;
};

/// "finished", "running", ..., translated.
QString statusName(TrainingStatus status);

} // namespace lens
