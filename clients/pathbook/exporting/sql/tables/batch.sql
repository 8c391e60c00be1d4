-- The batches: one row for each, with its newest correction.
SELECT
    made.book, made.batch, made.product, made.brand, made.lot, made.size, newest.made_on, newest.expires_on,
    newest.suggested_minor, newest.suggested_currency, newest.suggested_per_units, made.position,
    newest.position AS newest_position
FROM batch_history made
JOIN (
    SELECT history.*, ROW_NUMBER() OVER (PARTITION BY book, batch ORDER BY position DESC) AS age
    FROM batch_history history
) newest ON newest.book = made.book AND newest.batch = made.batch AND newest.age = 1
WHERE made.size IS NOT NULL
