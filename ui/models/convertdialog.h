// How a softmax model is to be turned into a linear one.
#pragma once

#include "engine/engine.h"

#include <QDialog>
#include <optional>
#include <vector>

class QComboBox;
class QDialogButtonBox;
class QLineEdit;

namespace lens {

/// "0, 2-4" as 0, 2, 3, 4; nothing written means all, which is an empty list. None for what is not a list of layers
/// below `layerCount`.
std::optional<std::vector<std::int64_t>> layersFromText(const QString &text, std::int64_t layerCount);

/// "0.9, 0.99": a decay above 0 and at most 1 for each head, or one for all. None for anything else.
std::optional<std::vector<double>> gammasFromText(const QString &text, std::int64_t heads);

class ConvertDialog : public QDialog {
    Q_OBJECT

public:
    ConvertDialog(const QString &modelName, std::int64_t layerCount, std::int64_t heads, QWidget *parent = nullptr);

    ConvertOptions options() const;

private:
    bool hasOwnDecay() const;
    void updateChoices();

    std::int64_t m_layerCount;
    std::int64_t m_heads;
    QComboBox *m_target;
    QComboBox *m_decay;
    QLineEdit *m_gammas;
    QComboBox *m_featureMap;
    QComboBox *m_init;
    QLineEdit *m_seed;
    QLineEdit *m_layers;
    QDialogButtonBox *m_buttons;
};

} // namespace lens
