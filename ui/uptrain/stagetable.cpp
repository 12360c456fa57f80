#include "uptrain/stagetable.h"

#include "widgets/iconbutton.h"

#include <QComboBox>
#include <QCoreApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLineEdit>
#include <QRegularExpressionValidator>
#include <QSpinBox>
#include <QTableWidget>
#include <QVBoxLayout>

#include <algorithm>

namespace lens {
namespace {

enum Column { ObjectiveColumn, TrainableColumn, StepsColumn, RateColumn, ColumnCount };

constexpr int MostSteps = 100000000;
constexpr std::int64_t WarmupShare = 20;    ///< one step of so many
constexpr double FinalShare = 1.0 / 30;     ///< of the peak, where the cosine ends (1e-5 of 3e-4 in the paper)
constexpr const char *Context = "StageTable";

QString translated(const char *source)
{
    return QCoreApplication::translate(Context, source);
}

TrainingStage stage(Objective objective, Trainable trainable, std::int64_t steps, double rate)
{
    TrainingStage stage;
    stage.objective = objective;
    stage.trainable = trainable;
    stage.steps = steps;
    stage.learningRate = rate;
    stage.finalLearningRate = rate * FinalShare;
    stage.warmup = steps / WarmupShare;
    return stage;
}

template <class Widget>
Widget *cell(const QTableWidget *table, int row, int column)
{
    return qobject_cast<Widget *>(table->cellWidget(row, column));
}

} // namespace

const std::vector<StagePreset> &stagePresets()
{
    static const std::vector<StagePreset> presets{
        {translated("SUPRA (paper): cross-entropy on all weights"),
         {stage(Objective::CrossEntropy, Trainable::All, 400, 3e-4)}},
        {translated("Transfer, then LoRA adapter"),
         {stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 200, 1e-3),
          stage(Objective::CrossEntropy, Trainable::Adapter, 400, 5e-4)}},
        {translated("Transfer, then all weights"),
         {stage(Objective::AttentionTransfer, Trainable::FeatureMaps, 200, 1e-3),
          stage(Objective::CrossEntropy, Trainable::All, 400, 3e-4)}},
        {translated("Distillation from the original"),
         {stage(Objective::Distillation, Trainable::All, 400, 3e-4)}}};
    return presets;
}

StageTable::StageTable(QWidget *parent) : QWidget(parent), m_preset(new QComboBox), m_table(new QTableWidget(0, ColumnCount))
{
    for (const StagePreset &preset : stagePresets())
        m_preset->addItem(preset.name);
    m_preset->addItem(tr("Own stages"));
    m_preset->setAccessibleName(tr("Objectives"));
    m_preset->setSizeAdjustPolicy(QComboBox::AdjustToMinimumContentsLengthWithIcon);
    m_preset->setMinimumContentsLength(24);
    auto *add = new IconButton(QStringLiteral("plus"), tr("Add a stage"));
    auto *remove = new IconButton(QStringLiteral("minus"), tr("Remove the chosen stage"));
    m_remove = remove;
    m_table->setHorizontalHeaderLabels({tr("Objective"), tr("Trained"), tr("Steps"), tr("Learning rate")});
    m_table->horizontalHeader()->setSectionResizeMode(QHeaderView::Stretch);
    m_table->horizontalHeader()->setSectionResizeMode(StepsColumn, QHeaderView::Fixed);
    m_table->horizontalHeader()->setSectionResizeMode(RateColumn, QHeaderView::Fixed);
    m_table->horizontalHeader()->setHighlightSections(false);
    m_table->setColumnWidth(StepsColumn, 92);
    m_table->setColumnWidth(RateColumn, 92);
    m_table->verticalHeader()->setSectionResizeMode(QHeaderView::Fixed);
    m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 14);
    m_table->setSelectionMode(QAbstractItemView::NoSelection);
    m_table->setTabKeyNavigation(false);
    m_table->setFocusPolicy(Qt::NoFocus);
    m_table->setShowGrid(false);
    m_table->setVerticalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setAccessibleName(tr("Stages"));
    auto *bar = new QHBoxLayout;
    bar->addWidget(m_preset, 1);
    bar->addWidget(add);
    bar->addWidget(remove);
    auto *layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->addLayout(bar);
    layout->addWidget(m_table);
    connect(m_preset, &QComboBox::activated, this, [this](int index) {
        if (index < int(stagePresets().size()))
            setStages(stagePresets()[std::size_t(index)].stages);
    });
    connect(add, &QToolButton::clicked, this, [this] {
        addRow(stage(Objective::CrossEntropy, Trainable::All, 200, 3e-4));
        announce();
        m_table->cellWidget(m_table->rowCount() - 1, ObjectiveColumn)->setFocus();
    });
    connect(remove, &QToolButton::clicked, this, &StageTable::removeRow);
    setStages(stagePresets().front().stages);
}

void StageTable::setStages(const std::vector<TrainingStage> &stages)
{
    m_filling = true;
    m_table->setRowCount(0);
    m_hidden.clear();
    for (const TrainingStage &one : stages)
        addRow(one);
    m_filling = false;
    announce();
}

void StageTable::addRow(const TrainingStage &stage)
{
    const int row = m_table->rowCount();
    m_table->insertRow(row);
    m_hidden.push_back(stage);
    auto *objective = new QComboBox;
    objective->addItems({tr("cross-entropy"), tr("distillation"), tr("attention transfer")});
    objective->setCurrentIndex(int(stage.objective));
    objective->setAccessibleName(tr("Objective of stage %1").arg(row + 1));
    auto *trainable = new QComboBox;
    trainable->addItems({tr("all weights"), tr("feature maps"), tr("feature maps and LoRA")});
    trainable->setCurrentIndex(int(stage.trainable));
    trainable->setAccessibleName(tr("What stage %1 trains").arg(row + 1));
    auto *steps = new QSpinBox;
    steps->setRange(1, MostSteps);
    steps->setGroupSeparatorShown(true);
    steps->setButtonSymbols(QAbstractSpinBox::NoButtons);
    steps->setValue(int(std::min<std::int64_t>(stage.steps, MostSteps)));
    steps->setAccessibleName(tr("Steps of stage %1").arg(row + 1));
    auto *rate = new QLineEdit(QString::number(stage.learningRate, 'g', 4));
    static const QRegularExpression number(QStringLiteral("[0-9]*\\.?[0-9]+(?:[eE]-?[0-9]{1,2})?"));
    rate->setValidator(new QRegularExpressionValidator(number, rate));
    rate->setAccessibleName(tr("Learning rate of stage %1").arg(row + 1));
    m_table->setCellWidget(row, ObjectiveColumn, objective);
    m_table->setCellWidget(row, TrainableColumn, trainable);
    m_table->setCellWidget(row, StepsColumn, steps);
    m_table->setCellWidget(row, RateColumn, rate);
    connect(objective, &QComboBox::currentIndexChanged, this, &StageTable::announce);
    connect(trainable, &QComboBox::currentIndexChanged, this, &StageTable::announce);
    connect(steps, &QSpinBox::valueChanged, this, &StageTable::announce);
    connect(rate, &QLineEdit::textChanged, this, &StageTable::announce);
}

/// The one with the focus, else the last.
void StageTable::removeRow()
{
    int row = m_table->rowCount() - 1;
    for (int i = 0; i < m_table->rowCount(); ++i) {
        for (int column = 0; column < ColumnCount; ++column) {
            if (m_table->cellWidget(i, column)->hasFocus())
                row = i;
        }
    }
    m_table->removeRow(row);
    m_hidden.erase(m_hidden.begin() + row);
    announce();
}

TrainingStage StageTable::stageOfRow(int row) const
{
    TrainingStage stage = m_hidden[std::size_t(row)];
    stage.objective = Objective(cell<QComboBox>(m_table, row, ObjectiveColumn)->currentIndex());
    stage.trainable = Trainable(cell<QComboBox>(m_table, row, TrainableColumn)->currentIndex());
    const std::int64_t steps = cell<QSpinBox>(m_table, row, StepsColumn)->value();
    const double rate = cell<QLineEdit>(m_table, row, RateColumn)->text().toDouble();
    if (steps != stage.steps)
        stage.warmup = steps / WarmupShare;
    if (rate != stage.learningRate)
        stage.finalLearningRate = rate * FinalShare;
    stage.steps = steps;
    stage.learningRate = rate;
    return stage;
}

std::vector<TrainingStage> StageTable::stages() const
{
    std::vector<TrainingStage> stages;
    for (int row = 0; row < m_table->rowCount(); ++row)
        stages.push_back(stageOfRow(row));
    return stages;
}

bool StageTable::hasAdapter() const
{
    const auto all = stages();
    return std::any_of(all.begin(), all.end(),
                       [](const TrainingStage &stage) { return stage.trainable == Trainable::Adapter; });
}

void StageTable::fitHeight()
{
    int height = m_table->horizontalHeader()->sizeHint().height() + 2 * m_table->frameWidth();
    height += m_table->rowCount() * m_table->verticalHeader()->defaultSectionSize();
    m_table->setFixedHeight(height);
}

void StageTable::announce()
{
    if (m_filling)
        return;
    fitHeight();
    m_remove->setEnabled(m_table->rowCount() > 1);
    const auto present = stages();
    int known = int(stagePresets().size());
    for (int i = 0; i < int(stagePresets().size()); ++i) {
        if (stagePresets()[std::size_t(i)].stages == present)
            known = i;
    }
    m_preset->setCurrentIndex(known);
    Q_EMIT changed();
}

} // namespace lens
