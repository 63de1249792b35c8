//! NestJS projects, and routes that are files.

use insta::assert_json_snapshot;

use super::{found, lines};

#[test]
fn controllers_with_prefixes_versions_and_bodies() {
    let files = [
        (
            "src/main.ts",
            "import { NestFactory } from '@nestjs/core';\nimport { VersioningType } from '@nestjs/common';\nimport { AppModule } from './app.module';\n\
             async function bootstrap() {\n  const app = await NestFactory.create(AppModule);\n  app.setGlobalPrefix('api');\n\
             \x20 app.enableVersioning({ type: VersioningType.URI });\n  await app.listen(3000);\n}\nbootstrap();\n",
        ),
        (
            "src/cats/cats.controller.ts",
            "import { Controller, Get, Post, Body, Param, Query, Delete, All } from '@nestjs/common';\nimport { ApiTags, ApiOperation } from '@nestjs/swagger';\n\
             import { CatsService } from './cats.service';\nimport { CreateCatDto } from './dto';\n\
             @ApiTags('cats')\n@Controller('cats')\nexport class CatsController {\n  constructor(private readonly cats: CatsService) {}\n\
             \x20 /** All cats. */\n  @Get()\n  findAll(@Query('limit') limit?: number): Promise<Cat[]> { return this.cats.all(); }\n\
             \x20 @Get(':id')\n  @ApiOperation({ summary: 'One cat' })\n  findOne(@Param('id') id: string): Promise<Cat> { return this.cats.one(id); }\n\
             \x20 @Post()\n  create(@Body() cat: CreateCatDto) { return this.cats.add(cat); }\n\
             \x20 @Delete([':id', 'all/:id'])\n  remove(@Param('id') id: string): void {}\n}\n",
        ),
        (
            "src/admin.controller.ts",
            "import { Controller, Patch } from '@nestjs/common';\n@Controller({ path: 'admin', version: '2' })\nexport class AdminController {\n  @Patch('x')\n  x() {}\n  helper() {}\n}\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn what_is_excluded_has_no_prefix() {
    let files = [
        (
            "src/main.ts",
            "import { NestFactory } from '@nestjs/core';\nimport { RequestMethod } from '@nestjs/common';\n\
             async function bootstrap() {\n  const app = await NestFactory.create(AppModule);\n\
             \x20 app.setGlobalPrefix('api', { exclude: ['health', { path: 'cats', method: RequestMethod.POST }, 'auth/*path'] });\n}\nbootstrap();\n",
        ),
        (
            "src/all.controller.ts",
            "import { Controller, Get, Post } from '@nestjs/common';\n\
             @Controller()\nexport class A {\n  @Get('health')\n  h() {}\n  @Get('auth/a/b')\n  b() {}\n}\n\
             @Controller('cats')\nexport class C {\n  @Get()\n  all() {}\n  @Post()\n  add() {}\n}\n",
        ),
    ];
    assert_eq!(lines(&files), ["GET /api/cats", "GET /auth/a/b", "POST /cats", "GET /health"]);
}

#[test]
fn files_of_next() {
    let files = [
        ("web/package.json", "{\"dependencies\": {\"next\": \"15.0.0\", \"react\": \"19\"}}"),
        (
            "web/src/app/api/notes/[id]/route.ts",
            "import { NextResponse } from 'next/server';\n/** One note. */\nexport async function GET(request: Request) { return NextResponse.json({}); }\n\
             export const DELETE = async () => new Response(null);\nconst helper = () => 1;\nexport { helper as PUT };\n",
        ),
        (
            "web/src/app/api/auth/[...nextauth]/route.ts",
            "import { handlers } from '@/auth';\nexport const { GET, POST } = handlers;\n",
        ),
        ("web/src/app/(shop)/cart/page.tsx", "export default function Page() { return <p/>; }\n"),
        (
            "web/pages/api/hello.js",
            "export default function handler(req, res) {\n  if (req.method === 'POST') { return res.json({}); }\n  return res.status(405).end();\n}\n",
        ),
    ];
    assert_json_snapshot!(found(&files));
}

#[test]
fn files_of_sveltekit_nuxt_and_astro() {
    let files = [
        ("package.json", "{\"devDependencies\": {\"@sveltejs/kit\": \"2\"}}"),
        (
            "src/routes/api/[id]/+server.ts",
            "export const GET = () => json({});\nexport function POST() {}\nexport const prerender = false;\n",
        ),
        ("src/routes/+page.svelte", "<h1>hi</h1>"),
        ("nuxt/package.json", "{\"dependencies\": {\"nuxt\": \"3\"}}"),
        ("nuxt/server/api/users.post.ts", "export default defineEventHandler(() => 1)"),
        ("nuxt/server/api/users/index.ts", "export default defineEventHandler(() => 1)"),
    ];
    assert_eq!(
        lines(&files),
        ["GET /", "GET /api/users", "POST /api/users", "GET /api/{id}", "POST /api/{id}"]
    );
}
