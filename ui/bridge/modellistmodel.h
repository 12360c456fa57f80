// The model library as a Qt item model.
#pragma once

#include "bridge/modellibrary.h"

#include <QAbstractListModel>

namespace lens {

class ModelListModel : public QAbstractListModel {
    Q_OBJECT

public:
    enum Role { IdRole = Qt::UserRole + 1, StateRole, DetailRole, ProgressRole, MixerRole, BundledRole };

    /// `library` must outlive the model.
    explicit ModelListModel(ModelLibrary &library, QObject *parent = nullptr);

    int rowCount(const QModelIndex &parent = {}) const override;
    QVariant data(const QModelIndex &index, int role) const override;
    QModelIndex indexOf(quint64 id) const;

private:
    ModelLibrary &m_library;
};

/// "SUPRA · 6 layers × 8 heads · 2.9 M · f16"; what is known so far.
QString modelDetail(const ModelEntry &entry);

} // namespace lens
