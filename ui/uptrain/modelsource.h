// Where a run's model comes from: a softmax model and how it is converted, or a configuration to begin with.
#pragma once

#include "bridge/modellibrary.h"
#include "uptrain/recipe.h"

#include <QWidget>

class QButtonGroup;
class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QStackedWidget;

namespace lens {

class ModelSource : public QWidget {
    Q_OBJECT

public:
    /// `library` must outlive this.
    explicit ModelSource(ModelLibrary &library, QWidget *parent = nullptr);

    /// Writes model, scratch, tokenizer.
    void fill(Recipe &recipe, std::uint64_t conversionSeed) const;
    /// Chooses what the recipe names; a model that the library lacks is added to it. Until that is known to be a softmax
    /// model, none is chosen.
    void setRecipe(const Recipe &recipe);
    /// Chooses that model, if it is a softmax model of the library.
    void choose(quint64 entry);

    /// Why nothing can be trained with these choices; empty when it can.
    QString problem() const;
    /// For the run's name and folder: "stories260K-supra".
    QString suggestedName() const;
    /// That the model was trained with; 0 when unknown.
    std::int64_t trainedContext() const;

Q_SIGNALS:
    void changed();

private:
    QWidget *makeConversion();
    QWidget *makeScratch();
    QWidget *fileChoice(QLineEdit *line, const QString &what, const QString &filter);
    void refreshModels();
    void want(quint64 entry);
    void updateChoices();
    void showConversion(const ConvertOptions &options);
    bool isScratch() const;
    bool isSupra() const;
    const ModelEntry *chosen() const;
    ConvertOptions conversion() const;

    ModelLibrary &m_library;
    QButtonGroup *m_kind;
    QStackedWidget *m_pages;
    QComboBox *m_model;
    QComboBox *m_method;
    QComboBox *m_decay;
    QLineEdit *m_gammas;
    QComboBox *m_init;
    QLineEdit *m_layers;
    QLabel *m_note;
    QLineEdit *m_config;
    QLineEdit *m_tokenizer;
    quint64 m_wanted = 0; ///< by a recipe, but not among the choices
};

} // namespace lens
