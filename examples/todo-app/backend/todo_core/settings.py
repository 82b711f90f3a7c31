"""Settings from the environment, under the names that the deployment uses."""

from functools import lru_cache

from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_file=None, extra="ignore")

    database_url: str = ""
    log_level: str = "info"
    debug: bool = False
    better_auth_url: str = "http://localhost:30080"
    # Fixed values rather than URLs: the frontend is reached under several addresses, a token is valid under all of them.
    jwt_issuer: str = "todo-app"
    jwt_audience: str = "todo-app-backend"
    cors_origins: str = "http://localhost:30080"
    mcp_server_url: str = "http://localhost:8001/mcp"
    openai_base_url: str = "https://openrouter.ai/api/v1"
    openai_api_key: str = ""
    openai_model: str = "openai/gpt-4o-mini"

    @property
    def cors_origin_list(self) -> list[str]:
        return [origin.strip() for origin in self.cors_origins.split(",") if origin.strip()]


@lru_cache
def get_settings() -> Settings:
    return Settings()
