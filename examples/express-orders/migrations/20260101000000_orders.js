exports.up = (knex) =>
  knex.schema.createTable("orders", (table) => {
    table.increments("id");
    table.string("item").notNullable();
    table.integer("amount").notNullable();
  });

exports.down = (knex) => knex.schema.dropTable("orders");
