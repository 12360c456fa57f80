// How a softmax model is to be turned into a linear one.
#pragma once

#include "engine/engine.h"

#include <QDialog>

class QComboBox;
class QLineEdit;

namespace lens {

class ConvertDialog : public QDialog {
    Q_OBJECT

public:
    ConvertDialog(const QString &modelName, QWidget *parent = nullptr);

    ConvertOptions options() const;

private:
    void updateChoices();

    QComboBox *m_target;
    QComboBox *m_decay;
    QComboBox *m_featureMap;
    QComboBox *m_init;
    QLineEdit *m_seed;
};

} // namespace lens
