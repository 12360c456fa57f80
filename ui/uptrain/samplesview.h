// What the model in training writes, beside what its original writes, from the newest step back.
#pragma once

#include "store/trainingstore.h"

#include <QTextBrowser>

#include <memory>

namespace lens {

class SamplesView : public QTextBrowser {
    Q_OBJECT

public:
    explicit SamplesView(QWidget *parent = nullptr);

    void setMetrics(const std::shared_ptr<const TrainingMetrics> &metrics);

protected:
    void changeEvent(QEvent *event) override;

private:
    void write();

    std::shared_ptr<const TrainingMetrics> m_metrics;
    std::int64_t m_newest = -1;
    std::size_t m_count = 0;
};

} // namespace lens
