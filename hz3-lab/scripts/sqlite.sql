create table item(id integer primary key, name text, price real, note blob);
with recursive n(i) as (select 1 union all select i + 1 from n where i < 40000)
insert into item select i, 'item ' || (i * 7919 % 10007), i * 0.25, hex(i * 1000003) || hex(i * 7) from n;
create index by_name on item(name);
create index by_price on item(price desc, name);
create table pair as select a.id as a, b.id as b from item a join item b on a.name = b.name where a.id < b.id;
select count(*), sum(length(note)), max(name) from item;
select name, count(*) c, group_concat(id) from item group by name order by c desc, name limit 2000;
update item set note = note || name where id % 3 = 0;
delete from item where id % 7 = 0;
select count(*) from pair where a in (select id from item);
