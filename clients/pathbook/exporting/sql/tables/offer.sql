-- The offers: one row for each, with its newest status. The units that were accepted are empty while none are.
SELECT
    made.book, made.transfer, newest.status, made.giver, made.receiver, made.units, accepted.units AS accepted_units,
    made.currency_code, made.amount_minor, made.per_units, made.deadline, made.occurred_at, made.recorded_at,
    newest.position AS newest_position
FROM offer_history made
JOIN (
    SELECT history.*, ROW_NUMBER() OVER (PARTITION BY book, transfer ORDER BY position DESC) AS age
    FROM offer_history history
) newest ON newest.book = made.book AND newest.transfer = made.transfer AND newest.age = 1
LEFT JOIN offer_history accepted
    ON accepted.book = made.book AND accepted.transfer = made.transfer
    AND accepted.status IN ('accepted', 'accepted_in_part')
WHERE made.status = 'offered'
