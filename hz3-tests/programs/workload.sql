-- In memory: inserts, indices, joins, text functions, recursive queries, updates, deletes, vacuum.
PRAGMA temp_store = memory;
CREATE TABLE person (id INTEGER PRIMARY KEY, name TEXT, city INTEGER, balance REAL, note TEXT);
CREATE TABLE city (id INTEGER PRIMARY KEY, name TEXT, country TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 500)
INSERT INTO city SELECT i, 'city-' || i, substr('ABCDEFGHIJ', 1 + i % 10, 1) FROM n;
BEGIN;
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 120000)
INSERT INTO person
SELECT i, 'name-' || (i * 7919 % 100003), 1 + i * 31 % 500, (i * 17 % 10007) / 7.0,
       substr('abcdefghijklmnopqrstuvwxyz', 1 + i % 26) || hex(i * i) || replace(hex(zeroblob(i % 90)), '00', 'xy')
FROM n;
COMMIT;
CREATE INDEX person_name ON person (name);
CREATE INDEX person_city ON person (city, balance);
CREATE INDEX person_note ON person (note);
SELECT count(*), sum(length(note)), round(sum(balance), 3) FROM person;
SELECT country, count(*), round(avg(balance), 6), max(person.name) FROM person JOIN city ON city.id = person.city
GROUP BY country ORDER BY country;
SELECT a.name, count(*) AS c FROM person a JOIN person b ON a.city = b.city AND b.balance BETWEEN a.balance AND a.balance + 0.2
WHERE a.id % 40 = 0 GROUP BY a.name ORDER BY c DESC, a.name LIMIT 20;
SELECT group_concat(name, ',') FROM (SELECT name FROM person WHERE note LIKE '%77%' ORDER BY note DESC, id LIMIT 300);
UPDATE person SET note = note || '-' || upper(name), balance = balance * 1.5 WHERE id % 3 = 0;
DELETE FROM person WHERE id % 7 = 2;
SELECT count(*), sum(length(note)), round(sum(balance), 3) FROM person;
SELECT city, rank, name FROM (
    SELECT city, name, row_number() OVER (PARTITION BY city ORDER BY balance DESC, id) AS rank FROM person
) WHERE rank <= 2 AND city <= 20 ORDER BY city, rank;
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(body);
INSERT INTO words SELECT note || ' ' || name FROM person WHERE id % 5 = 0;
SELECT count(*) FROM words WHERE words MATCH 'name';
VACUUM;
REINDEX;
SELECT json_group_array(json_object('id', id, 'name', name)) FROM (SELECT id, name FROM person ORDER BY id LIMIT 200);
PRAGMA integrity_check;
