// KL divergence between two models, token by token, on the same forced text, with the first token marked at which
// their own answers part. A strip some 90 pixels high, for under the columns.
#pragma once

#include "probe/frames.h"

#include <QStringList>
#include <QWidget>

#include <memory>

namespace lens {

class Selection;

class KlStrip : public QWidget {
    Q_OBJECT

public:
    /// `selection` must outlive the strip.
    explicit KlStrip(Selection *selection, QWidget *parent = nullptr);
    ~KlStrip() override;

    /// One name per column: KL(first column || column `other`). With more than two the user can choose another.
    void setColumns(const QStringList &names, int other);

    /// `tokenTexts` are those of the forced text, one more than comparison.kl.size(). A bar stands at the token that
    /// was predicted: kl[t] at token t + 1.
    void setComparison(const ForcedComparison &comparison, const QStringList &tokenTexts);

    /// Position of the first token in which two greedy answers differ, and the tokens either chose; -1 for none.
    void setFirstDifference(qint64 token, const QString &first = {}, const QString &second = {});

    /// Shown instead of bars when there is nothing to compare ("different tokenizers").
    void setNotice(const QString &notice);

    void clear();

    QSize sizeHint() const override;

Q_SIGNALS:
    void otherChosen(int column);

private:
    struct Impl;
    std::unique_ptr<Impl> m_impl;
};

} // namespace lens
