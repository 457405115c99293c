"""Who the database takes a caller for: tokens, contexts, bound logins, narrowing."""

from __future__ import annotations

from tests.shoppulse import ShopPulse, entered, rows

COUNTS = "select tenant_id, count(*) from shoppulse.orders group by 1 order by 1"


def test_a_user_is_entered_for_one_transaction_and_no_longer(shoppulse: ShopPulse) -> None:
    who = "select shoppulse.access_tenant(), shoppulse.access_user(), shoppulse.access_role(),"
    who += " shoppulse.access_metrics()"
    with shoppulse.connection() as app:
        with entered(app, "T001", "U101"):
            assert rows(app, who) == [
                ("T001", "U101", "Finance", ["discount_amount", "gross_revenue", "margin", "net_revenue"])
            ]
        with app:
            assert rows(app, who) == [(None, None, None, None)]
