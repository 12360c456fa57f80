// One column of the compare workspace: a model and its conversation. Changed by its driver, watched by views; all on
// the GUI thread.
#pragma once

#include "base/error.h"
#include "bridge/conversation.h"

#include <QObject>
#include <QStringList>

#include <memory>
#include <optional>

namespace lens {

class Column : public QObject {
    Q_OBJECT

public:
    enum class Activity { Idle, Saving, Reading, Generating };

    explicit Column(QObject *parent = nullptr);

    /// Facts of the model, also while its weights are not loaded; empty name = none chosen.
    const ModelInfo &info() const { return m_info; }
    const LoadedModelPtr &model() const { return m_model; }
    void setModel(ModelInfo info, LoadedModelPtr model);

    const std::vector<Exchange> &exchanges() const { return m_exchanges; }
    const Exchange *last() const { return m_exchanges.empty() ? nullptr : &m_exchanges.back(); }
    void setExchanges(std::vector<Exchange> exchanges);
    void appendExchange(Exchange exchange);
    /// Forgets exchanges from `count` on.
    void truncate(std::size_t count);

    /// Of the last exchange's answer.
    void appendTokens(const std::vector<TokenEvent> &events);
    /// Takes away a trailing token without text (end of text), so that the answer can go on.
    void dropEndToken();
    void setOutcome(const GenerationResult &result);
    void setGeneration(std::size_t exchange, RowId generation);
    void setTurn(std::size_t exchange, RowId turn);
    void setKl(const std::vector<float> &klByPosition);

    /// The sequence the last answer continues, and what its tokens look like.
    void setPrompt(std::vector<TokenId> ids, QStringList texts);
    const std::vector<TokenId> &promptIds() const { return m_promptIds; }
    const QStringList &promptTexts() const { return m_promptTexts; }
    /// Prompt and answer so far.
    std::vector<TokenId> sequence() const;
    QStringList sequenceTexts() const;

    Activity activity() const { return m_activity; }
    bool isBusy() const { return m_activity != Activity::Idle; }
    void setActivity(Activity activity);
    /// 0..1 of the prompt read; negative when unknown.
    double readingProgress() const { return m_reading; }
    void setReadingProgress(double fraction);

    const std::optional<Error> &error() const { return m_error; }
    void setError(std::optional<Error> error);

    /// Whether the shared prompt goes to this column too.
    bool takesPart() const { return m_takesPart; }
    void setTakesPart(bool takesPart);

    /// Index of the last answer's token outlined as the first difference; -1 for none.
    qsizetype differenceIndex() const { return m_difference; }
    void setDifferenceIndex(qsizetype index);

Q_SIGNALS:
    void modelChanged();
    void exchangesReset();
    void exchangeAppended();
    void tokensAppended(qsizetype firstIndex);
    void answerChanged(); ///< outcome, KL, difference: nothing that moves text
    void promptEncoded();
    void activityChanged();
    void errorChanged();
    void takesPartChanged();

private:
    ModelInfo m_info;
    LoadedModelPtr m_model;
    std::vector<Exchange> m_exchanges;
    std::vector<TokenId> m_promptIds;
    QStringList m_promptTexts;
    Activity m_activity = Activity::Idle;
    double m_reading = -1;
    std::optional<Error> m_error;
    bool m_takesPart = true;
    qsizetype m_difference = -1;
};

} // namespace lens
