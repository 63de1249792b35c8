//! Models of TypeScript, JavaScript and Prisma.

use insta::assert_json_snapshot;

use super::{found, names};

#[test]
fn interfaces_and_types() {
    let files = [
        (
            "src/types.ts",
            "/** One user. */\nexport interface User extends Base<string> {\n  readonly id: string;\n  email?: string;\n  age: number | null;\n  greet(): void;\n\
             \x20 'full-name': string;\n  address: { street: string };\n}\ninterface Base<T> { at: T }\nexport type Point = { x: number; y: number };\n\
             type Both = User & { extra?: boolean };\ntype Id = string;\n",
        ),
        (
            "src/Button.tsx",
            "interface ButtonProps { label: string }\nexport const Button = (props: ButtonProps) => <b>{props.label}</b>;\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn typeorm_and_dtos() {
    let files = [
        (
            "src/user.entity.ts",
            "import { Entity, Column, PrimaryGeneratedColumn, OneToMany } from 'typeorm';\n@Entity('users')\nexport class User extends BaseEntity {\n\
             \x20 @PrimaryGeneratedColumn('uuid')\n  id: string;\n  @Column({ nullable: true })\n  nick: string;\n  @Column()\n  name: string;\n\
             \x20 @OneToMany(() => Post, (post) => post.author)\n  posts: Post[];\n  helper = 3;\n}\n",
        ),
        (
            "src/dto.ts",
            "export class CreateUserDto {\n  @IsString()\n  name: string;\n  @IsOptional()\n  nick?: string;\n}\nexport class UpdateUserDto extends PartialType(CreateUserDto) {}\nclass Service { private db: Db; }\n",
        ),
        (
            "src/cat.schema.ts",
            "@Schema()\nexport class Cat {\n  @Prop({ required: true })\n  name: string;\n}\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn schemas_made_by_calls() {
    let files = [
        (
            "models/user.js",
            "const mongoose = require('mongoose');\nconst { Schema } = mongoose;\nconst userSchema = new Schema({\n  name: { type: String, required: true },\n  age: Number,\n\
             \x20 tags: [String],\n  friend: { type: Schema.Types.ObjectId, ref: 'User' },\n  address: { street: String },\n  role: { type: String, required: [true, 'x'], default: 'user' },\n}, { timestamps: true });\n\
             module.exports = mongoose.model('Account', userSchema);\n",
        ),
        (
            "models/tag.js",
            "import mongoose from 'mongoose';\nexport default mongoose.model('Tag', new mongoose.Schema({ label: String }));\n",
        ),
        (
            "src/zod.ts",
            "import { z } from 'zod';\nexport const Item = z.object({\n  id: z.string().uuid(),\n  price: z.coerce.number().optional(),\n  tags: z.array(z.string()).default([]),\n\
             \x20 kind: z.enum(['a', 'b']),\n  owner: User,\n  many: User.array(),\n}).strict();\nexport const Extended = Item.extend({ extra: z.boolean().nullable() });\nconst notOne = z.string();\n",
        ),
        (
            "src/schema.ts",
            "import { pgTable, serial, text } from 'drizzle-orm/pg-core';\nexport const users = pgTable('users', {\n  id: serial('id').primaryKey(),\n  name: text('name').notNull(),\n  bio: text('bio'),\n});\n",
        ),
        (
            "src/seq.js",
            "const Book = sequelize.define('Book', {\n  title: { type: DataTypes.STRING, allowNull: false },\n  pages: DataTypes.INTEGER,\n});\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn prisma() {
    let schema = "generator client {\n  provider = \"x\"\n}\n\n/// One user.\nmodel User {\n  id    Int     @id @default(autoincrement())\n  email String  @unique // shown\n\
                  \x20 name  String?\n  posts Post[]\n  @@map(\"users\")\n}\nenum Role {\n  A\n}\nmodel Post {\n  id Int @id\n";
    assert_json_snapshot!(found(&[("prisma/schema.prisma", schema)]));
    assert_eq!(names(&[("node_modules/x.prisma", schema), ("a.txt", "")]), Vec::<String>::new());
}
