// A new run: model and method, stages, texts, sizes, where it goes; the pre-flight card beside it.
#pragma once

#include "bridge/trainingcontroller.h"
#include "uptrain/modelsource.h"

#include <QWidget>

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QFormLayout;
class QLineEdit;
class QSpinBox;
class QVBoxLayout;

namespace lens {

class DataFiles;
class ErrorBanner;
class LoraFields;
class PreflightCard;
class StageTable;

class RunForm : public QWidget {
    Q_OBJECT

public:
    /// Both must outlive the form.
    RunForm(ModelLibrary &library, TrainingController &controller, QWidget *parent = nullptr);

    Recipe recipe() const;
    QString runName() const;
    /// Fills the form with the choices of another run; name and folder are new ones.
    void setRecipe(const Recipe &recipe);
    /// What another run had beside the fields on show is no part of the next one.
    void forgetOther();
    void choose(quint64 entry) { m_source->choose(entry); }
    void addFiles(const QStringList &files);
    void showError(const Error &error);

    PreflightCard &preflight() { return *m_preflight; }

Q_SIGNALS:
    void startRequested();

private:
    QWidget *makeForm();
    QWidget *makeSizes();
    QWidget *makeMeasurements();
    QWidget *makePlace();
    void refresh();
    void suggestPlace();
    void followModel();
    std::uint64_t conversionSeed() const;
    QString problem(const Recipe &recipe) const;

    ModelSource *m_source;
    StageTable *m_stages;
    DataFiles *m_files;
    PreflightCard *m_preflight;
    ErrorBanner *m_error;
    QSpinBox *m_length;
    QSpinBox *m_batch;
    QSpinBox *m_microBatch;
    QComboBox *m_dtype;
    QLineEdit *m_seed;
    QDoubleSpinBox *m_clip;
    LoraFields *m_lora;
    QCheckBox *m_learnDecay;
    QCheckBox *m_learnScale;
    QCheckBox *m_recompute;
    QSpinBox *m_evaluateEvery;
    QSpinBox *m_sampleEvery;
    QSpinBox *m_checkpointEvery;
    QLineEdit *m_prompt;
    QLineEdit *m_name;
    QLineEdit *m_folder;
    Recipe m_base; ///< what the form has no fields for
    bool m_nameEdited = false;
    bool m_folderEdited = false;
    bool m_lengthEdited = false;
};

} // namespace lens
