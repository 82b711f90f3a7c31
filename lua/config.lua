-- What todo-lua deploys: the one file that knows the Todo stack. Your own settings belong into
-- ~/.config/todo-lua/config.lua (all projects) or todo.local.lua (this project): a file there returns a table of
-- the same shape, merged over this one. examples/overrides/ shows what such a file can do.
return {
    release = "todo-app",
    namespace = "todo-app",
    chart = "chart",

    -- Local cluster. `provider` names one of lua/cluster/; without it the one that runs is taken, else the first of
    -- `order` that is installed.
    cluster = {
        provider = nil,
        order = { "minikube", "kind", "k3d", "standalone" },
        profile = nil, -- of Minikube; default: MINIKUBE_PROFILE, else "minikube"
        name = nil, -- of kind's or k3d's cluster; default "todo-lua"
        context = nil, -- of the kubeconfig, with provider "context"; a deploy wants it named with --context
        registry = nil, -- through which images reach that cluster: "registry.example.com/team"; default --registry
        host_address = nil, -- where that cluster's pods reach this machine, for the local database
        cpus = 4,
        memory = 8192, -- MiB
        disk = "20g",
        driver = "docker",
        kubernetes_version = nil, -- of a new cluster: "1.35.4"; standalone takes "1.35" and "stable", too, and goes up
        container_runtime = nil, -- of a new Minikube cluster: "docker", "containerd" or "cri-o"
        nodes = 1, -- of the standalone cluster, at most 5: all on this machine and its network, each with its images
        -- What a deploy enables: { "ingress", "metrics-server" }. Minikube's with images from elsewhere:
        -- { name = "metrics-server", registries = { MetricsServer = "mirror.example.com" }, images = { … } }
        addons = {},
        minikube_flags = {}, -- more of `minikube start`, for a new cluster: { "--cni=bridge", "--nodes=2" }
        kind_flags = {}, -- more of `kind create cluster`: { "--image=kindest/node:v1.36.1" }
    },

    -- One image for each component. `context` and `dockerfile` are paths in the project; a component that the chart's
    -- values switch off (mcp.enabled=false) is not built.
    components = { "frontend", "backend", "mcp" },
    images = {
        frontend = {
            name = "todo-frontend",
            context = "examples/todo-app/frontend",
            dockerfile = "docker/Dockerfile.frontend",
            args = { NEXT_PUBLIC_API_URL = "http://localhost:30080" },
            target = nil, -- stage of the Dockerfile; default: the last
            -- What the build compiles into the files that browsers load. These arguments are public (the image's label
            -- todo-lua.args records them); `url` is the one that holds the stack's address, which follows the port that
            -- is deployed; the files are searched for addresses that no browser reaches.
            browser = {
                args = { "NEXT_PUBLIC_API_URL" },
                url = "NEXT_PUBLIC_API_URL",
                files = "/app/.next/static",
            },
            max_mb = 300,
        },
        backend = {
            name = "todo-backend",
            context = "examples/todo-app/backend",
            dockerfile = "docker/Dockerfile.backend",
            args = {},
            max_mb = 400,
        },
        mcp = {
            name = "todo-mcp",
            context = "examples/todo-app/backend",
            dockerfile = "docker/Dockerfile.mcp",
            args = {},
            max_mb = 400,
        },
    },
    ports = { frontend = 3000, backend = 8000, mcp = 8001, node = 30080 },

    -- Where no DATABASE_URL is given (environment, --database, secret store), PostgreSQL runs in a container beside the
    -- cluster, one for each release: RELEASE-postgres (NAMESPACE-RELEASE-postgres where the two differ), with its data
    -- in a volume of that name.
    database = {
        url = nil,
        url_file = nil,
        image = "postgres:17",
        container = nil,
        volume = nil,
        name = "todo",
        user = "todo",
        port = 55432, -- on this machine, or the next that no other release has; inside the container it is 5432
    },

    -- The page that proves the deployment: `path` has to answer with status 200 and this text.
    url = { component = "frontend", path = "/api/health", expect = '"status"' },

    -- Seconds until every pod has to be Ready.
    timeout = 120,

    -- Company CA bundle that image builds trust; default: SSL_CERT_FILE or the system's bundle. It is given to builds
    -- whose Dockerfile names .todo-ca.crt.
    ca_bundle = nil,

    -- More files for builds, by their name in the context: [".todo-npmrc"] = "/home/me/.npmrc" is what the frontend's
    -- npm reads a token from. A build that leaves one of them, or the CA bundle, in a layer of its image fails.
    build_files = {},

    -- Files that builds are given for single steps, by the id that the Dockerfile names: { npm = "/home/me/.npmrc" }
    -- for RUN --mount=type=secret,id=npm. A build that leaves one in its image fails, too.
    build_secrets = {},
    build_ssh = false, -- forward your SSH agent to RUN --mount=type=ssh

    -- Chart values, as in chart/values.yaml; or a function(values, ctx) that changes and returns them.
    values = {},

    -- Steps to wrap: steps = { build = function(next, ctx, image) … return next(ctx, image) end }.
    steps = {},
}
