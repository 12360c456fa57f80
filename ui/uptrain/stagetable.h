// The stages of a recipe as a small table: what is minimised, what is trained, for how long and how fast.
#pragma once

#include "uptrain/recipe.h"

#include <QWidget>

#include <vector>

class QComboBox;
class QTableWidget;

namespace lens {

struct StagePreset {
    QString name;
    std::vector<TrainingStage> stages;
};

/// "SUPRA (paper): ...", "Transfer, then LoRA adapter", ... The first is the default.
const std::vector<StagePreset> &stagePresets();

class StageTable : public QWidget {
    Q_OBJECT

public:
    explicit StageTable(QWidget *parent = nullptr);

    std::vector<TrainingStage> stages() const;
    void setStages(const std::vector<TrainingStage> &stages);
    bool hasAdapter() const;

Q_SIGNALS:
    void changed();

private:
    void addRow(const TrainingStage &stage);
    void removeRow();
    TrainingStage stageOfRow(int row) const;
    void fitHeight();
    void announce();

    QComboBox *m_preset;
    QTableWidget *m_table;
    QWidget *m_remove = nullptr;
    std::vector<TrainingStage> m_hidden; ///< what the table has no columns for, by row
    bool m_filling = false;
};

} // namespace lens
