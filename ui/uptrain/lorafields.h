// What an adapter changes: the rank of the changes and the projections that get one.
#pragma once

#include "uptrain/recipe.h"

#include <QWidget>

#include <array>

class QCheckBox;
class QSpinBox;

namespace lens {

class LoraFields : public QWidget {
    Q_OBJECT

public:
    explicit LoraFields(QWidget *parent = nullptr);

    LoraOptions options() const;
    void setOptions(const LoraOptions &options);

Q_SIGNALS:
    void changed();

private:
    QSpinBox *m_rank;
    std::array<QCheckBox *, 7> m_targets{};
    double m_alphaShare = 2; ///< alpha / rank, by which a change is scaled
};

} // namespace lens
