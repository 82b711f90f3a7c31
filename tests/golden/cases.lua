-- What helm and todo-lua are asked to render alike: name, chart, flags. Paths are relative to tests/golden; each runs
-- as
-- `helm template rel CHART FLAGS`, or with its own release name. What helm prints is kept in expected/NAME.yaml, or
-- its message in
-- expected/NAME.error. `todo-lua tests/golden/update.lua` asks helm anew.
local SHIPPED = "../../chart"
local SECRETS = {
    "--set",
    "secrets.databaseUrl=postgresql://u:p@h/db,secrets.frontendDatabaseUrl=postgresql://u:p@h/db?sslmode=require",
    "--set-string", "secrets.betterAuthSecret=0123456789",
}

local cases = {}

local function case(name, chart, flags, release)
    cases[#cases + 1] = { name = name, chart = chart, flags = flags, release = release or "rel" }
end

local function shipped(name, flags, release)
    case("shipped-" .. name, SHIPPED, table.move(flags, 1, #flags, #SECRETS + 1, table.move(SECRETS, 1, #SECRETS, 1,
        {})), release)
end

shipped("plain", {}, "todo-app")
shipped("other-release", { "-n", "elsewhere" }, "second")
shipped("ingress", { "--set", "ingress.enabled=true,ingress.className=", "--set", "ingress.host=a.example" })
shipped("without-mcp", { "--set", "mcp.enabled=false" })
shipped("without-frontend", { "--set", "frontend.enabled=false,ingress.enabled=true" })
shipped("given-urls", { "--set", "config.backendUrl=http://else:1,config.mcpServerUrl=", "--set",
    "backend.service.port=9000" })
shipped("environment", { "--set", "frontend.env.A=1,frontend.env.B=null,frontend.env.C=x y", "--set-json",
    'frontend.env.D="q\\"q"' })
shipped("tags", { "--set", "backend.image.tag=1234567890,backend.image.repository=r:5000/b", "--set-string",
    "mcp.image.tag=7" })
shipped("file", { "-f", "values/shipped.yaml" })
shipped("one-template", { "-s", "templates/secret.yaml", "-s", "templates/*-service.yaml" })
shipped("no-such-template", { "-s", "templates/none.yaml" })
case("shipped-no-secrets", SHIPPED, {})
case("shipped-bad-release", SHIPPED, {}, "Bad_Name")

local TREE = "charts/tree"
case("tree-plain", TREE, {})
case("tree-crds", TREE, { "--include-crds", "--no-hooks" })
case("tree-upgrade", TREE, { "--is-upgrade", "--skip-tests", "--kube-version", "v1.29", "-a", "example.com/v1,x/v2" })
case("tree-old-kubernetes", TREE, { "--kube-version", "1.19" })
case("tree-disabled", TREE, { "--set", "web.enabled=false,tags.data=false" })
case("tree-enabled", TREE, { "--set", "cache.enabled=true,web.leaf.enabled=false,tags.data=false" })
case("tree-globals", TREE, { "--set", "global.zone=null,global.shared.one=9,web.global.zone=own,global.more.x=1" })
case("tree-nulls", TREE, { "--set",
    "deep.a=null,web.replicas=null,store.auth=null,gone=null,new=null,web.settings.size=null" })
case("tree-table-conflict", TREE, { "--set", "web=1" })
case("tree-files", TREE, { "-f", "values/a.yaml", "-f", "values/b.yaml" })
case("tree-bad-file", TREE, { "-f", "values/broken.yaml" })
case("tree-list-file", TREE, { "-f", "values/list.yaml" })

-- The --set language, on a chart that prints its values.
local sets = {
    "a=b", "a=b,c=d", "a.b.c=1", "a.b=1,a.c=2", "a=", "a=,b=1", "a.b=", "a", "a,b=1", "=x", ".a=1", "a.=1", "a..b=1",
    "n=1,m=-2,o=+3,z=0,zz=00,p=01,f=1.5,e=1e3,x=0x10", "big=9223372036854775807,over=9223372036854775808",
    "t=true,T=TRUE,f=False",
    "n=null,N=NULL", "s=a\\,b", "s=a\\=b", "a\\.b=c", "s=a\\\\b", "s=a=b=c", "s= spaced ", "s=a b", "s=\\",
    "l={a,b,1,true,null}",
    "l={}", "l={a}", "l={a,b", "l={a,b},m=1", "l={a,b}x", "l[0]=a", "l[0]=a,l[1]=b", "l[2]=c", "l[0].a=1,l[0].b=2",
    "l[0][1]=x",
    "l[0]=a,l[0].b=c", "l[-1]=a", "l[x]=a", "l[]=a", "l[0", "l[0]", "l[0]x=1", "l[99999]=a", "list[1]=z",
    "list[0].x=1", "list.x=1",
    "deep.a.b=1", "deep.a[0]=1", "text.x=1", "text[0]=1", "a.b=1,a=2,a.c=3", "ü=ä,日本=語", "a=\\{x\\}", "a={x\\,y,z}",
    "a={b={c}}", "l[0]={a,b}", "l[0].m={1,2}", "a.b.c.d.e.f.g=1", "a=1,,b=2", "a=1,", ",a=1", " a=1, b=2", "a =1",
    "a= ", "a={ x , y }",
    "list=null", "deep=null", "list[0]=null", "a=--b", "a=~", "a='q'", 'a="q"', "a=#x", "a=@file", "a=0.0", "a=-0",
    "a=1_000", "a=\t",
}
for index, text in ipairs(sets) do case(("set-%02d"):format(index), "charts/print", { "--set", text }) end
case("set-string", "charts/print", { "--set-string", "a=1,b=true,c=null,d={1,2},e[0]=3,f=" })
case("set-literal-1", "charts/print", { "--set-literal", "a.b=c,d=e\\f={x}" })
case("set-literal-2", "charts/print", { "--set-literal", "l[1].a= x " })
case("set-literal-3", "charts/print", { "--set-literal", "nothing" })
case("set-json-1", "charts/print", { "--set-json", 'a={"b":[1,2.5,null,"x"],"c":{}},d=[],e=3,f="g,h",i=,j=true' })
case("set-json-2", "charts/print", { "--set-json", 'a[1]={"x":1}, b.c = 2' })
case("set-json-3", "charts/print", { "--set-json", "a=nope" })
case("set-json-4", "charts/print", { "--set-json", 'a=12345678901234567890,b=1e400x' })
case("set-file-1", "charts/print", { "--set-file", "a=values/text.txt,b.c=values/text.txt" })
case("set-file-2", "charts/print", { "--set-file", "a=values/absent.txt" })
case("set-order", "charts/print", {
    "--set-literal", "a=literal", "--set-string", "a=string,b=string", "--set", "a=set,b=set,c=set", "--set-json",
    "a=1,b=1,c=1,d=1",
    "-f", "values/a.yaml",
})
case("print-bad-kube-1", "charts/print", { "--kube-version", "x" })
case("print-bad-kube-2", "charts/print", { "--kube-version", "1" })
case("print-bad-kube-3", "charts/print", { "--kube-version", "1.36.3-gke.100" })

-- Values against a schema; one fault each, since helm prints several in no fixed order.
local faults = {
    '{"min":-3}', '{"max":12345678}', '{"max":123456.75}', '{"max":1e300}', '{"above":3}', '{"below":3.5}',
    '{"multiple":10000}',
    '{"short":"x"}', '{"long":"日本語"}', '{"enum":"y"}', '{"enum":12345678}', '{"one":2}', '{"const":6}',
    '{"const":5}', '{"format":"zz"}',
    '{"pattern":"it\'s"}', '{"pattern":"a\'b\\""}', '{"any":{}}', '{"any":3}', '{"any":1.5}', '{"all":1}',
    '{"all":4}', '{"oneof":3}',
    '{"oneof":"a"}', '{"oneof":true}', '{"not":"s"}', '{"not":1}', '{"ref":{}}', '{"ref":{"p":1}}', '{"ref":[]}',
    '{"anchored":"a"}',
    '{"deep":{"child":{"child":{"size":"x"}}}}', '{"deep":{"child":{"child":{"size":1}}}}', '{"cond":{"kind":"a"}}',
    '{"cond":{"kind":"b","y":1}}', '{"cond":{"kind":"b","y":1,"z":2}}', '{"items":"x"}', '{"items":[1]}',
    '{"items":[1,2,3,4]}',
    '{"items":[1,2,1]}', '{"items":[1,"b"]}', '{"tuple":["a",true]}', '{"tuple":["a",true,1]}', '{"tuple":[1]}',
    '{"contains":[1,"a"]}',
    '{"contains":["a","b","c","d"]}', '{"contains":[]}', '{"has":[2]}', '{"has":[2,1]}', '{"dependent":{"a":1}}',
    '{"dependent":{"a":1,"b":2}}',
    '{"dependent":{"d":1,"e":2}}', '{"names":{"long":1}}', '{"patterns":{"s_x":1}}', '{"patterns":{"other":"s"}}',
    '{"patterns":{"s_":"s"}}',
    '{"closed":{"b":1}}', '{"unevaluated":{"a":1,"b":2}}', '{"unevaluated":{"c":1}}', '{"a/b~c":1}', '{"never":1}',
    '{"required":{}}',
    '{"part":{"size":1.5}}', '{"part":{"ip":"1.2.3.400"}}', '{"part":{"tuple":["a","b","c"]}}',
    '{"part":{"alone":1}}', '{"part":{"list":{"a":1}}}',
    '{"min":"text"}', '{"items":null}', '{"part":{"size":2}}',
}
for index, text in ipairs(faults) do
    case(("schema-%02d"):format(index), "charts/schema", { "-f", "-" })
    cases[#cases].stdin = text
end

-- Charts that cannot be loaded, and packed ones.
case("load-absent", "./charts/absent", {})
case("load-packed", "charts/packed-1.0.0.tgz", { "--set", "a=1" })
case("load-not-packed", "values/a.yaml", {})
for _, name in ipairs { "no-version", "bad-version", "bad-name", "bad-type", "bad-yaml", "bad-values", "library",
    "missing-dependency",
    "bad-alias", "same-alias", "bad-ignore", "bad-subchart", "bad-field", "bad-template", "bad-output" } do
    case("load-" .. name, "charts/" .. name, {})
end

return cases
