exports.seed = (knex) =>
  knex("orders").insert([
    { item: "rope", amount: 2 },
    { item: "lantern", amount: 1 },
  ]);
