-- The price ladder of each product: what each tier paid for units that it kept, in minor units of the currency.
-- Tier -1 are parties without a tier, and tier 1000 are consumers. The median of an even number of units is the lower
-- of the two in the middle. The sum is rounded once, half to even. It is a DECIMAL(38, 0), because 64 bits may be too
-- few. Prices are split into whole minor units and 62 binary places, which tells all prices apart. Only a sum so near
-- to a half that its lost places decide counts as a half.
-- A quotient is below 2^33, or exact, so it is right whether a database divides whole numbers or floating ones.
WITH paid AS (
    SELECT
        move.book, batch.product, move.receiver_tier AS tier, move.currency_code, move.amount_minor, move.per_units,
        CAST(SUM(move.hops * move.units) AS BIGINT) AS units
    FROM move
    JOIN batch ON batch.book = move.book AND batch.batch = move.batch
    WHERE move.hops <> 0
    GROUP BY move.book, batch.product, move.receiver_tier, move.currency_code, move.amount_minor, move.per_units
    HAVING SUM(move.hops * move.units) <> 0
),
halved AS (  -- the amount is upper * 2^32 + lower
    SELECT
        paid.*,
        CAST((amount_minor - MOD(amount_minor, 4294967296)) / 4294967296 AS BIGINT) AS upper_half,
        MOD(amount_minor, 4294967296) AS lower_half,
        MOD(amount_minor, per_units) AS rest
    FROM paid
),
divided AS (  -- the price of a unit is (upper_whole * 2^32 + low / per_units); rest / per_units is its fraction
    SELECT
        halved.*,
        CAST(ROUND((upper_half - MOD(upper_half, per_units)) / per_units) AS BIGINT) AS upper_whole,
        MOD(upper_half, per_units) * 4294967296 + lower_half AS low,
        CAST(ROUND((rest * 4294967296 - MOD(rest * 4294967296, per_units)) / per_units) AS BIGINT) AS places,
        MOD(rest * 4294967296, per_units) * 1073741824 AS later,
        CAST(ROUND((units - MOD(units, per_units)) / per_units) AS BIGINT) * rest AS by_lots,
        MOD(units, per_units) * rest AS by_units
    FROM halved
),
ranked AS (  -- what all units cost is units * whole + by_lots + by_units / per_units
    SELECT
        divided.*,
        upper_whole * 4294967296 + CAST(ROUND((low - MOD(low, per_units)) / per_units) AS BIGINT) AS whole,
        CAST(ROUND((later - MOD(later, per_units)) / per_units) AS BIGINT) AS later_places,
        CAST(ROUND((by_units - MOD(by_units, per_units)) / per_units) AS BIGINT) AS by_units_whole,
        MOD(by_units, per_units) AS left_over
    FROM divided
),
begun AS (
    SELECT
        ranked.*,
        CAST(ROUND((left_over * 4294967296 - MOD(left_over * 4294967296, per_units)) / per_units) AS BIGINT)
            AS sum_places,
        MOD(left_over * 4294967296, per_units) * 1073741824 AS sum_later
    FROM ranked
),
placed AS (
    SELECT
        begun.*,
        CAST(ROUND((sum_later - MOD(sum_later, per_units)) / per_units) AS BIGINT) AS sum_later_places,
        CASE WHEN MOD(sum_later, per_units) = 0 THEN 0 ELSE 1 END AS lost,
        SUM(units) OVER (PARTITION BY book, product, tier, currency_code) AS all_units,
        SUM(units) OVER (
            PARTITION BY book, product, tier, currency_code ORDER BY whole, places, later_places, per_units
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS units_so_far,
        ROW_NUMBER() OVER (
            PARTITION BY book, product, tier, currency_code ORDER BY whole, places, later_places, per_units
        ) AS least_place,
        ROW_NUMBER() OVER (
            PARTITION BY book, product, tier, currency_code
            ORDER BY whole DESC, places DESC, later_places DESC, per_units
        ) AS most_place,
        MIN(amount_minor) OVER (PARTITION BY book, product, tier, currency_code, whole, places, later_places)
            AS stated_minor,
        MIN(per_units) OVER (PARTITION BY book, product, tier, currency_code, whole, places, later_places)
            AS stated_per_units
    FROM begun
),
summed AS (
    SELECT
        book, product, tier, currency_code, SUM(units) AS units,
        MAX(CASE WHEN least_place = 1 THEN stated_minor END) AS least_minor,
        MAX(CASE WHEN least_place = 1 THEN stated_per_units END) AS least_per_units,
        MAX(CASE WHEN 2 * units_so_far >= all_units AND 2 * (units_so_far - units) < all_units THEN stated_minor END)
            AS median_minor,
        MAX(CASE WHEN 2 * units_so_far >= all_units AND 2 * (units_so_far - units) < all_units THEN stated_per_units END)
            AS median_per_units,
        MAX(CASE WHEN most_place = 1 THEN stated_minor END) AS most_minor,
        MAX(CASE WHEN most_place = 1 THEN stated_per_units END) AS most_per_units,
        SUM(CAST(units AS DECIMAL(19, 0)) * CAST(whole AS DECIMAL(19, 0))) AS whole_sum,
        CAST(SUM(by_lots + by_units_whole) AS BIGINT) AS more,
        CAST(SUM(sum_places) AS BIGINT) AS places,
        CAST(SUM(sum_later_places) AS BIGINT) AS later_places,
        CAST(SUM(lost) AS BIGINT) AS lost
    FROM placed
    GROUP BY book, product, tier, currency_code
),
carried AS (
    SELECT
        summed.*,
        places + CAST((later_places - MOD(later_places, 1073741824)) / 1073741824 AS BIGINT) AS carried_places
    FROM summed
),
added AS (  -- the sum is floor_minor and a fraction of at least place / 2^62, and of less than (place + lost) / 2^62
    SELECT
        carried.*,
        CAST(whole_sum AS DECIMAL(38, 0)) + CAST(
            more + CAST((carried_places - MOD(carried_places, 4294967296)) / 4294967296 AS BIGINT) AS DECIMAL(19, 0)
        ) AS floor_minor,
        MOD(carried_places, 4294967296) * 1073741824 + MOD(later_places, 1073741824) AS place
    FROM carried
)
SELECT
    book, product, tier, currency_code, CAST(units AS BIGINT) AS units,
    least_minor, least_per_units, median_minor, median_per_units, most_minor, most_per_units,
    CAST(
        floor_minor + CASE
            WHEN place > 2305843009213693952 OR (place = 2305843009213693952 AND lost > 0) THEN 1
            WHEN place = 2305843009213693952 OR place + lost > 2305843009213693952 THEN MOD(floor_minor, 2)
            ELSE 0
        END AS DECIMAL(38, 0)
    ) AS sum_minor
FROM added
ORDER BY book, product, tier, currency_code
