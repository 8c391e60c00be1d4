-- The stock that no consumer has bought, by product, day of expiry and the tier of its owners, nearest expiry first.
-- Tier 0 is the brand, and tier -1 are parties without a tier. The tier of an owner is that of its last purchase of
-- the batch. Written-off units are not taken from the stock, because the party that writes off may hold the goods
-- for another owner: they stand beside it, with the tier of the party that wrote them off.
WITH flow AS (
    SELECT book, batch, brand AS party, size AS units, 0 AS written_off FROM batch
    UNION ALL
    SELECT book, batch, receiver AS party, hops * units AS units, 0 AS written_off FROM move WHERE hops <> 0
    UNION ALL
    SELECT book, batch, giver AS party, -hops * units AS units, 0 AS written_off FROM move WHERE hops <> 0
    UNION ALL
    SELECT book, batch, giver AS party, 0 AS units, written_off * units AS written_off FROM move WHERE written_off <> 0
),
held AS (
    SELECT book, batch, party, SUM(units) AS units, SUM(written_off) AS written_off
    FROM flow
    GROUP BY book, batch, party
),
bought AS (
    SELECT
        book, batch, receiver AS party, receiver_tier AS tier,
        ROW_NUMBER() OVER (PARTITION BY book, batch, receiver ORDER BY position DESC, line DESC) AS age
    FROM move
    WHERE hops = 1
),
placed AS (
    SELECT
        held.book, batch.product, batch.expires_on, held.units, held.written_off,
        CASE WHEN held.party = batch.brand THEN 0 ELSE COALESCE(bought.tier, -1) END AS tier
    FROM held
    JOIN batch ON batch.book = held.book AND batch.batch = held.batch
    LEFT JOIN bought
        ON bought.book = held.book AND bought.batch = held.batch AND bought.party = held.party AND bought.age = 1
    WHERE held.units <> 0 OR held.written_off <> 0
)
SELECT
    book, product, expires_on, tier, CAST(COUNT(*) AS BIGINT) AS holdings, CAST(SUM(units) AS BIGINT) AS units,
    CAST(SUM(written_off) AS BIGINT) AS written_off
FROM placed
WHERE tier <> 1000
GROUP BY book, product, expires_on, tier
ORDER BY CASE WHEN expires_on IS NULL THEN 1 ELSE 0 END, expires_on, book, product, tier
