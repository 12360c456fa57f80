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

class ConvertDialog : public QDialog {
    Q_OBJECT

public:
    ConvertDialog(const QString &modelName, std::int64_t layerCount, QWidget *parent = nullptr);

    ConvertOptions options() const;

private:
    void updateChoices();

    std::int64_t m_layerCount;
    QComboBox *m_target;
    QComboBox *m_decay;
    QComboBox *m_featureMap;
    QComboBox *m_init;
    QLineEdit *m_seed;
    QLineEdit *m_layers;
    QDialogButtonBox *m_buttons;
};

} // namespace lens
