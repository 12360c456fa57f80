// Everything that is known about one model, and what can be done with it.
#pragma once

#include "bridge/modellibrary.h"

#include <QScrollArea>

class QComboBox;
class QFormLayout;
class QLabel;
class QProgressBar;
class QPushButton;

namespace lens {

class ErrorBanner;

class ModelDetails : public QScrollArea {
    Q_OBJECT

public:
    /// `library` must outlive the widget.
    explicit ModelDetails(ModelLibrary &library, QWidget *parent = nullptr);

    void show(quint64 entry);
    quint64 entry() const { return m_entry; }

Q_SIGNALS:
    void openInColumn(quint64 entry);
    /// The model in one column, its conversion beside it; of an adapted model, its base first.
    void compareRequested(quint64 source);
    void convertRequested(quint64 source);
    void getModelRequested();

private:
    QWidget *makeLoading();
    QWidget *makeActions();
    void refresh();
    void fillFacts(const ModelEntry &entry);
    void addFact(const QString &label, const QString &value);
    void updateEstimate();
    LoadOptions options() const;
    void makeSaveMenu();
    void saveToDisk(SaveFormat format);
    bool mayWriteInto(const QString &folder, SaveFormat format);

    ModelLibrary &m_library;
    quint64 m_entry = 0;
    quint64 m_estimateRequest = 0;
    QLabel *m_title;
    QLabel *m_subtitle;
    ErrorBanner *m_warning;
    ErrorBanner *m_error;
    QComboBox *m_device;
    QComboBox *m_dtype;
    QLabel *m_estimate;
    QProgressBar *m_progress;
    QPushButton *m_get;
    QPushButton *m_load;
    QPushButton *m_cancel;
    QPushButton *m_unload;
    QPushButton *m_show;
    QPushButton *m_compare;
    QPushButton *m_convert;
    QPushButton *m_save;
    QWidget *m_facts;
    QFormLayout *m_form;
};

} // namespace lens
