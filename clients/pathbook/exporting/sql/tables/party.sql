-- The parties: one row for each, with its newest kind.
SELECT newest.book, newest.party, newest.kind, newest.registered_position AS position
FROM (
    SELECT
        history.*,
        ROW_NUMBER() OVER (PARTITION BY book, party ORDER BY position DESC) AS age,
        MIN(position) OVER (PARTITION BY book, party) AS registered_position
    FROM party_history history
) newest
WHERE newest.age = 1
