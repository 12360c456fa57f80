#include "widgets/errorbanner.h"

#include "bridge/format.h"
#include "bridge/theme.h"
#include "widgets/iconbutton.h"

#include <QClipboard>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QPainter>

namespace lens {

ErrorBanner::ErrorBanner(QWidget *parent) : QFrame(parent), m_text(new QLabel)
{
    m_text->setWordWrap(true);
    m_text->setTextFormat(Qt::RichText);
    m_text->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_text->setMinimumWidth(40);
    auto *copy = new IconButton(QStringLiteral("copy"), tr("Copy this message"));
    auto *close = new IconButton(QStringLiteral("close"), tr("Close this message"));
    m_copy = copy;
    m_close = close;
    auto *layout = new QHBoxLayout(this);
    layout->setContentsMargins(10, 6, 6, 6);
    layout->addWidget(m_text, 1);
    layout->addWidget(copy, 0, Qt::AlignTop);
    layout->addWidget(close, 0, Qt::AlignTop);
    connect(copy, &QToolButton::clicked, this, [this] { QGuiApplication::clipboard()->setText(m_plain); });
    connect(close, &QToolButton::clicked, this, [this] {
        hide();
        Q_EMIT dismissed();
    });
    hide();
}

void ErrorBanner::showError(const Error &error)
{
    m_isError = true;
    QStringList lines{QStringLiteral("<b>%1</b>").arg(title(error.code).toHtmlEscaped())};
    if (!error.what.empty())
        lines.append(text(error.what).toHtmlEscaped());
    if (!error.where.empty())
        lines.append(QStringLiteral("<small>%1</small>").arg(text(error.where).toHtmlEscaped()));
    if (!error.advice.empty())
        lines.append(tr("To do: %1").arg(text(error.advice).toHtmlEscaped()));
    m_text->setText(lines.join(QStringLiteral("<br>")));
    m_copy->show();
    m_close->show();
    present(title(error.code) + QStringLiteral(". ") + text(toString(error)));
}

void ErrorBanner::showWarning(const QString &text, bool closable)
{
    m_isError = false;
    m_text->setText(text.toHtmlEscaped());
    m_copy->hide();
    m_close->setVisible(closable);
    present(text);
}

void ErrorBanner::present(const QString &plain)
{
    m_plain = plain;
    setAccessibleName(plain);
    show();
}

void ErrorBanner::paintEvent(QPaintEvent *)
{
    const Colours colours(palette());
    QPainter painter(this);
    painter.fillRect(rect(), m_isError ? colours.errorSoft : colours.warningSoft);
    painter.fillRect(QRect(0, 0, 3, height()), m_isError ? colours.error : colours.marker);
}

} // namespace lens
