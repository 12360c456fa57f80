// The stages of a recipe as a small table: what is minimised, what is trained, for how long and how fast. A second line
// of each has its schedule and, where it distils, what of.
#pragma once

#include "uptrain/recipe.h"

#include <QWidget>

#include <vector>

class QComboBox;
class QLineEdit;
class QSpinBox;
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
    struct Fields {
        QComboBox *objective;
        QComboBox *trainable;
        QSpinBox *steps;
        QLineEdit *rate;
        QLineEdit *finalRate;
        QSpinBox *warmup;
        QSpinBox *cooldown;
        QWidget *distilling; ///< the two below with their labels
        QLineEdit *weight;
        QLineEdit *temperature;
        TrainingStage shown; ///< what was last read from the fields or written into them

        std::vector<QWidget *> all() const;
    };

    Fields makeFields(const TrainingStage &stage, int row) const;
    QWidget *makeSchedule(const Fields &fields) const;
    void addRow(const TrainingStage &stage);
    void removeRow();
    void follow(Fields &fields);
    void fitHeight();
    void announce();

    QComboBox *m_preset;
    QTableWidget *m_table;
    QWidget *m_remove = nullptr;
    std::vector<Fields> m_rows;
    bool m_filling = false;
};

} // namespace lens
