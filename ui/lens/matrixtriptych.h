// Two attention matrices and their signed difference, side by side. The two share one scale of magnitudes.
#pragma once

#include "plot/heatmapplot.h"
#include "probe/frames.h"

#include <QStringList>
#include <QWidget>

#include <array>
#include <optional>

class QMenu;

namespace lens {

class ElidedLabel;

class MatrixTriptych : public QWidget {
    Q_OBJECT

public:
    explicit MatrixTriptych(QWidget *parent = nullptr);

    void setTokens(const QStringList &tokens);
    void setNames(const QString &first, const QString &second);
    /// `side` 0 or 1; nothing: not measured, or no such head.
    void setMatrix(int side, std::optional<Matrix> matrix);
    /// Why there is no difference; empty when there may be one.
    void setDifferenceRefused(const QString &reason);
    /// What stands where there is no matrix; the second also where there is no difference.
    void setHints(const QString &first, const QString &second);
    void setLogarithmic(bool logarithmic);
    /// Errors of the head on show, for the heading of the difference; NaN for none.
    void setErrors(double frobenius, double cosine);
    void setChosen(qint64 token);
    void addActionsTo(QMenu *menu);

Q_SIGNALS:
    void tokenChosen(qint64 token);

protected:
    void resizeEvent(QResizeEvent *event) override;

private:
    enum Panel { First, Second, Difference };

    std::array<HeatMapPlot *, 3> m_plots{};
    std::array<ElidedLabel *, 3> m_titles{};
    std::array<std::optional<Matrix>, 2> m_matrices;
    QStringList m_tokens;
    QString m_refused;
    std::array<QString, 2> m_hints;
    bool m_logarithmic = false;

    void showMatrices();
    /// One scale from 0 for the magnitudes of both.
    ValueRange sharedRange() const;
    bool hasNegative() const;
    void showTicks();
};

} // namespace lens
