-- Creates the role and the database of Pathbook, once. The password is read from the environment, so no list of
-- processes shows it.
\set ON_ERROR_STOP on
\getenv password PGPASSWORD
CREATE ROLE pathbook LOGIN PASSWORD :'password';
CREATE DATABASE pathbook OWNER pathbook;
